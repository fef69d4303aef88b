"""One module a page; each has `show`, which draws it for a person."""
