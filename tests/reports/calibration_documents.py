"""Calibration documents of a small world, as `evalkit calibrate` makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metrics import Calibration, calibrate, plan_labels

HOSTILE = "<img src=x onerror=alert(1)>"


def calibrated(
    queries: int = 80, labels: int = 40, *, single: bool = False, text: str = "even", **more: Any
) -> tuple[dict[str, Any], Calibration]:
    """Two runs that share two of three products; a judge that is right on four of five."""
    rng = np.random.default_rng(1)
    ids = [f"q{at:02}" for at in range(queries)]
    products = "abcd"
    truth = {(q, p): int(rng.random() < 0.5) for q in ids for p in products}
    judge = {pair: good if rng.random() < 0.8 else 1 - good for pair, good in truth.items()}

    def run(last: str) -> pd.DataFrame:
        rows = [(q, p, at) for q in ids for at, p in enumerate(f"ab{last}", 1)]
        return pd.DataFrame(rows, columns=["query_id", "product_id", "rank"])

    def graded(grades: dict[tuple[str, str], int], asked: list[str]) -> pd.DataFrame:
        rows = [(q, p, grades[q, p]) for q in asked for p in products]
        return pd.DataFrame(rows, columns=["query_id", "product_id", "grade"])

    kinds = [text if at % 2 == 0 else "odd" for at in range(queries)]
    found = calibrate(
        run("c"),
        None if single else run("d"),
        graded(judge, ids),
        graded(truth, ids[:labels]) if labels else None,
        pd.DataFrame({"query_id": ids, "kind": kinds}),
        cutoffs=(3,),
        **more,
    )
    document = {
        "kind": "calibration",
        **found.to_dict(),
        "human": {"source": "human.csv"} if labels else None,
        "plan": plan_labels(found, 0.02).to_dict(),
        "sample": {
            "queries": 12, "settings": {"seed": 3, "cutoff": 3}, "path": "grade.csv",
            "probabilities": "p.csv",
        },
        "inputs": [{"path": "human.csv", "fingerprint": "sha256:00", "rows": 160}],
        "command": "evalkit calibrate --human human.csv",
    }  # fmt: skip
    return document, found
