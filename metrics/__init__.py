"""The numbers: Goodrates, GSB and the standard measures over retrieval runs, with intervals.

Frames in, frames out: pandas, Polars, PyArrow, DuckDB or Spark. No files, no models.
"""

from metrics.aggregation import DawidSkene, dawid_skene, majority
from metrics.agreement import agreement, grade_agreement
from metrics.alpha import Alpha, krippendorff_alpha
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
from metrics.sequential import sequential_gsb, votes_to_decide
from metrics.vote_gsb import gsb_from_votes
from metrics.vote_results import (
    Agreement,
    AnnotatorScored,
    GradeAgreement,
    PairScored,
    Remaining,
    Sequential,
    VoteComparison,
    VoteScored,
)

__all__ = [
    "Agreement",
    "Alpha",
    "AnnotatorScored",
    "Compared",
    "Comparison",
    "DawidSkene",
    "GradeAgreement",
    "MetricsError",
    "PairScored",
    "Remaining",
    "Scored",
    "Scores",
    "Scoring",
    "Sequential",
    "VoteComparison",
    "VoteScored",
    "agreement",
    "bpref",
    "compare_runs",
    "dawid_skene",
    "grade_agreement",
    "gsb",
    "gsb_from_votes",
    "item_goodrate",
    "judged",
    "krippendorff_alpha",
    "majority",
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
    "sequential_gsb",
    "success",
    "votes_to_decide",
]
