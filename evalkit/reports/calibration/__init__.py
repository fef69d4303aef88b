"""Figures corrected by people's grades: what `evalkit calibrate` found, as text and as a page."""
