"""What people read: tables, pages and lists of moved queries. Nothing is computed here.

Modules are imported by their full name, so that printing a table does not load the page.
"""
