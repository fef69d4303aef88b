"""The numbers: Goodrates, GSB and the standard measures over retrieval runs, with intervals.

Frames in, frames out: pandas, Polars, PyArrow, DuckDB or Spark. No files, no models.
"""

from metrics.comparison import compare_runs
from metrics.errors import MetricsError
from metrics.figures import (
    bpref,
    gsb,
    item_goodrate,
    judged,
    mean_average_precision,
    mrr,
    ndcg,
    precision,
    query_goodrate,
    recall,
    success,
)
from metrics.goodrate import Scoring, per_query, ranked_lists
from metrics.judgments import one_grade
from metrics.results import Compared, Comparison, Scored, Scores
from metrics.scoring import score_runs

__all__ = [
    "Compared",
    "Comparison",
    "MetricsError",
    "Scored",
    "Scores",
    "Scoring",
    "bpref",
    "compare_runs",
    "gsb",
    "item_goodrate",
    "judged",
    "mean_average_precision",
    "mrr",
    "ndcg",
    "one_grade",
    "per_query",
    "precision",
    "query_goodrate",
    "ranked_lists",
    "recall",
    "score_runs",
    "success",
]
