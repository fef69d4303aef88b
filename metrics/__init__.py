"""The numbers: Goodrates, GSB and the standard measures over retrieval runs, with intervals.

Frames in, frames out: pandas, Polars, PyArrow, DuckDB or Spark. No files, no models.
"""

from metrics.aggregation import DawidSkene, dawid_skene, majority
from metrics.agreement import agreement, grade_agreement
from metrics.agreement_results import (
    Agreement,
    AnnotatorScored,
    GradeAgreement,
    PairScored,
)
from metrics.alpha import Alpha, krippendorff_alpha
from metrics.calibration import (
    calibrate,
)
from metrics.calibration_results import (
    Calibrated,
    Calibration,
    LabelPlan,
    PredictionPowered,
)
from metrics.comparison import compare_runs
from metrics.correlation import correlate
from metrics.correlation_results import (
    Correlated,
    Correlations,
    Disagreement,
    MeasureRanked,
    Roc,
)
from metrics.disagreement import disagreements, roc
from metrics.drift import (
    Exchange,
    exchange_test,
    judge_drift,
)
from metrics.drift_results import (
    Drift,
    JudgeWeek,
)
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
from metrics.judge_agreement import judge_agreement
from metrics.judge_agreement_results import JudgeAgreement, JudgeDiffers, JudgeScored
from metrics.judgments import one_grade
from metrics.label_plans import (
    labels_for_width,
    plan_labels,
)
from metrics.planning import plan_comparison
from metrics.planning_results import Planned, SamplePlan
from metrics.prediction_powered import (
    prediction_powered_difference,
    prediction_powered_mean,
    prediction_powered_ratio,
)
from metrics.reliability import Reliability, ReliabilityBin, reliability
from metrics.results import Compared, Comparison, Scored, Scores
from metrics.sampling import (
    LabelSample,
    draw_labels,
    inclusion_probabilities,
    queries_to_label,
    systematic_sample,
)
from metrics.scoring import score_runs
from metrics.seeds import compare_seeds
from metrics.sequential import sequential_gsb, votes_to_decide
from metrics.sequential_results import Remaining, Sequential
from metrics.system_correlation import correlate_systems
from metrics.system_correlation_results import SystemCorrelated, SystemCorrelations
from metrics.vote_gsb import gsb_from_votes
from metrics.vote_planning import plan_shares, plan_votes
from metrics.vote_results import VoteComparison, VoteScored

__all__ = [
    "Agreement",
    "Alpha",
    "AnnotatorScored",
    "Calibrated",
    "Calibration",
    "Compared",
    "Comparison",
    "Correlated",
    "Correlations",
    "DawidSkene",
    "Disagreement",
    "Drift",
    "Exchange",
    "GradeAgreement",
    "JudgeAgreement",
    "JudgeDiffers",
    "JudgeScored",
    "JudgeWeek",
    "LabelPlan",
    "LabelSample",
    "MeasureRanked",
    "MetricsError",
    "PairScored",
    "Planned",
    "PredictionPowered",
    "Reliability",
    "ReliabilityBin",
    "Remaining",
    "Roc",
    "SamplePlan",
    "Scored",
    "Scores",
    "Scoring",
    "Sequential",
    "SystemCorrelated",
    "SystemCorrelations",
    "VoteComparison",
    "VoteScored",
    "agreement",
    "bpref",
    "calibrate",
    "compare_runs",
    "compare_seeds",
    "correlate",
    "correlate_systems",
    "dawid_skene",
    "disagreements",
    "draw_labels",
    "exchange_test",
    "grade_agreement",
    "gsb",
    "gsb_from_votes",
    "inclusion_probabilities",
    "item_goodrate",
    "judge_agreement",
    "judge_drift",
    "judged",
    "krippendorff_alpha",
    "labels_for_width",
    "majority",
    "mean_average_precision",
    "mrr",
    "ndcg",
    "one_grade",
    "per_query",
    "plan_comparison",
    "plan_labels",
    "plan_shares",
    "plan_votes",
    "precision",
    "prediction_powered_difference",
    "prediction_powered_mean",
    "prediction_powered_ratio",
    "queries_to_label",
    "query_goodrate",
    "ranked_lists",
    "recall",
    "reliability",
    "roc",
    "score_runs",
    "sequential_gsb",
    "success",
    "systematic_sample",
    "votes_to_decide",
]
