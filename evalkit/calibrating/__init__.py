"""People's grades beside a judge's: corrected figures, samples for people, drift of the judge."""

from evalkit.calibrating.documents import calibrate_inputs
from evalkit.calibrating.human import (
    HumanGrades,
    human_grades,
    human_table,
    sampling_probabilities,
)
from evalkit.calibrating.samples import draw_sample, write_sample
from evalkit.calibrating.watching import (
    drift_document,
    gold_fingerprint,
    gold_week,
    week_fingerprint,
)

__all__ = [
    "HumanGrades",
    "calibrate_inputs",
    "draw_sample",
    "drift_document",
    "gold_fingerprint",
    "gold_week",
    "human_grades",
    "human_table",
    "sampling_probabilities",
    "week_fingerprint",
    "write_sample",
]
