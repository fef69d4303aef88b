"""People against measures: the document of `evalkit correlate`, as text and as a page."""
