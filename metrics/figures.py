"""One number from one call: each measure as a function, for a notebook or a test.

For several measures, segments, intervals or two runs, `score_runs` and `compare_runs` read the
frames once. All functions raise what those raise, and return NaN where a figure does not exist.
"""

from __future__ import annotations

from typing import Any

from metrics.comparison import compare_runs
from metrics.scoring import score_runs

__all__ = [
    "bpref",
    "gsb",
    "item_goodrate",
    "judged",
    "mean_average_precision",
    "mrr",
    "ndcg",
    "precision",
    "query_goodrate",
    "recall",
    "success",
]


def _value(
    name: str, run: Any, judgments: Any, queries: Any, cutoff: int, scoring: dict[str, Any]
) -> float:
    scores = score_runs(
        {"run": run}, judgments, queries, measures=[name], cutoffs=(cutoff,), **scoring
    )
    value = scores.rows[0].value
    return float("nan") if value is None else float(value)


def item_goodrate(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Share of the items shown in the top `cutoff` that are good, pooled over queries: Σ g / Σ d.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1], NaN when nothing is shown at all.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> item_goodrate(run, grades)
    0.5
    """
    return _value("item_goodrate", run, judgments, queries, cutoff, scoring)


def query_goodrate(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Share of queries with at least `min_good` (1) good items in the top `cutoff`.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> query_goodrate(run, grades)
    1.0
    """
    return _value("query_goodrate", run, judgments, queries, cutoff, scoring)


def precision(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Mean over queries of good items in the top `cutoff`, divided by `cutoff` (trec_eval `P`).

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> precision(run, grades)
    0.1
    """
    return _value("precision", run, judgments, queries, cutoff, scoring)


def recall(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Mean over queries of the share of all good items that the top `cutoff` holds.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> recall(run, grades)
    0.5
    """
    return _value("recall", run, judgments, queries, cutoff, scoring)


def ndcg(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Mean nDCG at `cutoff`: linear gains, log2(rank + 1), ideal list over all judged items.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> ndcg(run, grades)
    0.38685...
    """
    return _value("ndcg", run, judgments, queries, cutoff, scoring)


def success(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Share of queries with a good item in the top `cutoff` (trec_eval `success`).

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> success(run, grades)
    1.0
    """
    return _value("success", run, judgments, queries, cutoff, scoring)


def mrr(run: Any, judgments: Any, queries: Any = None, **scoring: Any) -> float:
    """Mean reciprocal rank of the first good item of the whole list.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> mrr(run, grades)
    0.5
    """
    return _value("mrr", run, judgments, queries, 10, scoring)


def mean_average_precision(run: Any, judgments: Any, queries: Any = None, **scoring: Any) -> float:
    """Mean average precision of whole lists (trec_eval `map`).

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> mean_average_precision(run, grades)
    0.25
    """
    return _value("map", run, judgments, queries, 10, scoring)


def bpref(run: Any, judgments: Any, queries: Any = None, **scoring: Any) -> float:
    """Mean bpref of whole lists: good items ranked above judged bad ones (trec_eval `bpref`).

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1]; a query without results counts as 0. NaN where the settings give
        none (nDCG of text grades without gains, or a measure that `ties="expected"` lacks).

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> bpref(run, grades)
    0.0
    """
    return _value("bpref", run, judgments, queries, 10, scoring)


def judged(
    run: Any, judgments: Any, queries: Any = None, *, cutoff: int = 10, **scoring: Any
) -> float:
    """Share of the items shown in the top `cutoff` that are judged.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`.

    Returns:
        A fraction in [0, 1], NaN when nothing is shown at all.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q", "q"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame(
    ...     {"query_id": ["q"] * 3, "product_id": list("abc"), "grade": [0, 1, 1]})
    >>> judged(run, grades)
    1.0
    """
    return _value("judged", run, judgments, queries, cutoff, scoring)


def gsb(
    control: Any,
    treatment: Any,
    judgments: Any,
    queries: Any = None,
    *,
    cutoff: int = 10,
    **scoring: Any,
) -> float:
    """Automatic GSB: (queries Good − queries Bad) / queries, from numbers of good items.

    Args:
        control: frame with `query_id, product_id` and `rank` or `score`.
        treatment: the same.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`; default: the judged queries.
        cutoff: depth N.
        **scoring: fields of `metrics.Scoring`; `margin` is how many more good items make a query
            Good.

    Returns:
        A fraction in [−1, 1].

    >>> import pandas as pd
    >>> control = pd.DataFrame({"query_id": ["q"], "product_id": ["a"], "rank": [1]})
    >>> treatment = pd.DataFrame({"query_id": ["q"], "product_id": ["b"], "rank": [1]})
    >>> grades = pd.DataFrame({"query_id": ["q"], "product_id": ["b"], "grade": [1]})
    >>> gsb(control, treatment, grades)
    1.0
    """
    comparison = compare_runs(
        control, treatment, judgments, queries, measures=["gsb"], cutoffs=(cutoff,), **scoring
    )
    value = comparison.rows[0].delta
    return float("nan") if value is None else float(value)
