"""The numbers: Goodrates, GSB and the standard measures over retrieval runs, with intervals.

Frames in, frames out: pandas, Polars, PyArrow, DuckDB or Spark. No files, no models.
"""

from metrics.comparison import compare_runs, score_runs
from metrics.goodrate import Scoring, per_query
from metrics.results import Compared, Comparison, Scored, Scores

__all__ = [
    "Compared",
    "Comparison",
    "Scored",
    "Scores",
    "Scoring",
    "compare_runs",
    "per_query",
    "score_runs",
]
