"""The weekly report: what was recorded in a week, as one document, as a page and as Markdown."""
