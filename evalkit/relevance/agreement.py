"""A judge's grades beside people's: from files to a document of how far they agree.

The figures are `metrics.judge_agreement`'s. Here the files are read and joined, probabilities come
in, the pairs on which the two differ get their texts, and the document says what it was made from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, ModelError, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.tables import Table

__all__ = ["agreement_document", "classifier_reliability"]

_CALIBRATION = "calibration.json"
_SHOWN = 5


def agreement_document(
    connection: DuckDBPyConnection,
    judgments: Table,
    human: Table,
    queries: Table | None = None,
    products: Table | None = None,
    *,
    source: str | None = None,
    human_source: str | None = None,
    aggregate: Any = None,
    judge: tuple[str | None, str | None] = (None, None),
    classifier: str | None = None,
    probability_good: float | None = None,
    good: float | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Compare a judge with people.

    Args:
        connection: where the tables were read into.
        judgments: the judge's, with a column `probability` where it gives one.
        human: people's grades, taken for right.
        queries: the query set, for segments and for the texts of queries.
        products: the catalogue, for titles.
        source: the source of the judge's grades, where the file has several.
        human_source: the source of people's grades, where the file has several.
        aggregate: how several annotators' grades become one.
        judge: name of who judged, and the fingerprint of the model, where they are known.
        classifier: folder of the classifier that judged, for its own reliability curve.
        probability_good: the smallest grade that the probabilities call good; None where that
            is not known, or is the classifier's.
        good: the smallest grade that is good; None is that of the probabilities, else 1.
        **settings: further keywords of `metrics.judge_agreement`.

    Returns:
        The document of kind `agreement`, ready for JSON.

    Raises:
        InputError: a file cannot be used, or a probability is none.
        SettingsError: the grades cannot be compared under these settings.
        ModelError: the folder is not a classifier's.
    """
    import narwhals as nw

    from metrics import MetricsError, judge_agreement, one_grade

    own = None if classifier is None else classifier_reliability(classifier)
    told = probability_good if own is None or probability_good is not None else own["good"]
    if good is None:
        good = 1.0 if told is None else told
    asked = settings.get("judge_good")
    other = told is not None and told != (good if asked is None else asked)
    frames = []
    for table, chosen, option in (
        (judgments, source, "source"),
        (human, human_source, "human_source"),
    ):
        try:
            frames.append(one_grade(table.relation, source=chosen, aggregate=aggregate))
        except MetricsError as error:
            setting = option if error.setting == "source" else error.setting
            raise _refusal(error, setting, table.path) from error
    judged = nw.from_native(frames[0])
    probabilities = None if other else _probabilities(connection, judgments, source)
    if probabilities is not None:
        keys = ["query_id", "product_id"]
        judged = judged.join(nw.from_native(probabilities), on=keys, how="left")
    try:
        found = judge_agreement(
            judged.to_native(),
            frames[1],
            None if queries is None else queries.relation,
            check=False,
            good=good,
            **settings,
        ).to_dict()
    except MetricsError as error:
        raise _refusal(error, error.setting) from error
    warnings = list(found["warnings"])
    if other and (own is not None or "probability" in judgments.columns):
        own = None
        option = "--good" if asked is None else "--judge-good"
        warnings.insert(
            0,
            f"The judge's probabilities are of a grade of {told:g} or more, not of "
            f"{good if asked is None else asked:g}: no Brier score, ECE and reliability curve; "
            f"{option} {told:g} has them.",
        )
    if own is not None and judge[1] is not None and _other_classifier(str(classifier), judge[1]):
        warnings.insert(
            0,
            f"The classifier in {classifier} is not the one that made {judgments.path}: its "
            "reliability curve is of another judge.",
        )
    tables = [judgments, human, *(table for table in (queries, products) if table is not None)]
    return {
        "kind": "agreement",
        "settings": {
            **found["settings"],
            "source": source,
            "human_source": human_source,
            "aggregate": aggregate,
        },
        "judge": {
            "name": judge[0],
            "model": judge[1],
            "source": source or _first(connection, judgments, "source"),
            "judgments": judgments.fingerprint,
        },
        "human": {"source": human.path, "judgments": human.fingerprint},
        "counts": found["counts"],
        "grades": found["grades"],
        "reliability": found["reliability"],
        "classifier": own,
        "warnings": warnings,
        "results": found["results"],
        "differences": _with_texts(connection, found["differences"], queries, products),
        "inputs": [
            {"path": table.path, "fingerprint": table.fingerprint, "rows": table.rows}
            for table in tables
        ],
    }


def classifier_reliability(folder: str) -> dict[str, Any]:
    """Read a classifier's reliability on the pairs that were held out of its training.

    Returns:
        `path`, `good` (None where it is not written down), and of the calibrated probabilities
        `pairs`, `brier`, `brier_base`, `ece` and `bins`, as `metrics.Reliability` has them.

    Raises:
        ModelError: it is not a classifier's folder, or its calibration has no such figures.
    """
    file = Path(folder) / _CALIBRATION
    if not file.is_file():
        raise ModelError(
            f"{folder} is not a classifier's folder: it has no {_CALIBRATION}. Make one with "
            "evalkit train classifier."
        )
    try:
        document = json.loads(file.read_text("utf-8"))
        found = document["reliability"]["after"]
        names = ("pairs", "brier", "brier_base", "ece")
        figures = {name: float(found[name]) for name in names}
        good = None if document.get("good") is None else float(document["good"])
        bins = [
            {name: float(each[name]) for name in ("low", "high", "pairs", "probability", "good")}
            for each in found["bins"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{file} holds no reliability curve ({error}); train the classifier again, or leave "
            "--classifier out."
        ) from error
    return {"path": folder, "good": good, **figures, "bins": bins}


def _other_classifier(folder: str, fingerprint: str) -> bool:
    """Whether a folder holds another classifier than the one with this fingerprint."""
    from evalkit.relevance.classifier import judge_identity

    try:
        return judge_identity(folder)["fingerprint"] != fingerprint
    except ModelError:  # without the extra for models nobody can tell
        return False


def _refusal(error: Exception, setting: str | None, path: str = "") -> SettingsError:
    named = f"{path}: " if path else ""
    remedy = f": use --{setting.replace('_', '-')}" if setting else ""
    return SettingsError(f"{named}{error}{remedy}.")


def _probabilities(connection: DuckDBPyConnection, table: Table, source: str | None) -> Any | None:
    """`query_id, product_id, probability` of the judged pairs; None without the column.

    Raises:
        InputError: a value is no probability.
    """
    if "probability" not in table.columns:
        return None
    text = "nullif(trim(CAST(probability AS VARCHAR)), '')"
    value = f"TRY_CAST({text} AS DOUBLE)"
    wrong = connection.execute(
        f"SELECT query_id, product_id, {text}, count(*) OVER () FROM {table.name} WHERE {text} IS "
        f"NOT NULL AND NOT coalesce({value} BETWEEN 0 AND 1, false) ORDER BY 1, 2 LIMIT {_SHOWN}"
    ).fetchall()
    if wrong:
        raise InputError(
            table.path,
            [
                Problem(
                    "probability is not between 0 and 1", value=value,
                    query_id=query, product_id=product,
                )
                for query, product, value, _ in wrong
            ],
            remedy="It is the judge's probability of the product being good; leave it empty where "
            "there is none.",
            total=int(wrong[0][3]),
        )  # fmt: skip
    rows = connection.table(table.name)
    if source is not None:
        import duckdb

        rows = rows.filter(duckdb.ColumnExpression("source") == duckdb.ConstantExpression(source))
    return rows.aggregate(f"query_id, product_id, avg({value}) AS probability")


def _first(connection: DuckDBPyConnection, table: Table, column: str) -> str | None:
    if column not in table.columns:
        return None
    row = connection.execute(f"SELECT {column} FROM {table.name} LIMIT 1").fetchone()
    return str(row[0]) if row and row[0] else None


def _with_texts(
    connection: DuckDBPyConnection,
    pairs: Sequence[Mapping[str, Any]],
    queries: Table | None,
    products: Table | None,
) -> list[dict[str, Any]]:
    """The pairs with the text of their query and the title of their product, where known."""
    texts = _texts(connection, queries, "query_id", "query", [pair["query_id"] for pair in pairs])
    titles = _texts(
        connection, products, "product_id", "title", [pair["product_id"] for pair in pairs]
    )
    return [
        {
            **pair,
            "query": texts.get(pair["query_id"]),
            "title": titles.get(pair["product_id"]),
        }
        for pair in pairs
    ]


def _texts(
    connection: DuckDBPyConnection, table: Table | None, key: str, column: str, ids: Sequence[str]
) -> dict[str, str]:
    if table is None or column not in table.columns or not ids:
        return {}
    rows = connection.execute(
        f"SELECT CAST({key} AS VARCHAR), CAST({column} AS VARCHAR) FROM {table.name} "
        f"WHERE CAST({key} AS VARCHAR) IN (SELECT unnest(?))",
        [list(ids)],
    ).fetchall()
    return {name: text for name, text in rows if text is not None}
