"""A score document for machines: CSV and JSON at full precision."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.reports.score_document import segment_name

if TYPE_CHECKING:
    from evalkit.reports.score_document import Document

__all__ = ["format_csv", "format_json"]

# One order for CSV whatever order the document was built in; fields not named here follow.
_CSV_FIRST = [
    "measure",
    "cutoff",
    "system",
    "queries",
    "control",
    "treatment",
    "value",
    "delta",
    "relative",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "improved",
    "same",
    "worse",
    "mde",
    "judged",
    "judged_control",
    "judged_treatment",
    "good",
    "bad",
    "win_rate",
    "identical",
    "without_identical",
    "lower_control",
    "upper_control",
    "lower_treatment",
    "upper_treatment",
    "lower_delta",
    "upper_delta",
]


def format_csv(document: Document) -> str:
    """One line per result row at full precision; a number that does not exist is empty.

    Every segment column is a column of its own, empty in the rows of the whole query set. A
    segment column with the name of a field gets the prefix `segment_`.
    """
    rows = list(document.get("results", ()))
    present = list(dict.fromkeys(key for row in rows for key in row if key != "segment"))
    fields = [key for key in _CSV_FIRST if key in present]
    fields += [key for key in present if key not in fields]
    columns = list(dict.fromkeys(key for row in rows for key in row.get("segment") or {}))
    names = {key: f"segment_{key}" if key in fields else key for key in columns}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    # measure and cutoff, then the segment, then the figures
    writer.writerow(fields[:2] + [names[key] for key in columns] + fields[2:])
    for row in rows:
        segment = row.get("segment") or {}
        values = [_cell(row.get(key)) for key in fields]
        parts = [segment_name(segment[key]) if key in segment else "" for key in columns]
        writer.writerow(values[:2] + parts + values[2:])
    return text.getvalue()


def format_json(document: Document) -> str:
    """The whole document as JSON at full precision; NaN and infinities become null.

    Example:
        >>> print(format_json({"results": [{"delta": float("nan")}]}), end="")
        {
          "results": [
            {
              "delta": null
            }
          ]
        }
    """
    return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
