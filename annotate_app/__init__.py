"""The annotation app: Streamlit pages over the study store.

`python -m annotate_app` starts it. There is no SQL and no statistics in here: pages read and
write through `evalkit.store`, and figures come from `evalkit.reports` and `metrics`.
"""

from __future__ import annotations

from evalkit import __version__

__all__ = ["APP_VERSION"]

APP_VERSION = __version__
"""Stored with every vote, so that a change of the page can be told in the data."""
