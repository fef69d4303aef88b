"""How far a judge agrees with people, as table, Markdown, CSV and page."""
