"""The stage behind `evalkit judge`: results of runs, or pairs, become judgments.

A judge takes a table of pairs with their texts and gives one with grades; a classifier is one, a
language model another. Where a query carries a structure and the catalogue decides a pair against
it, the catalogue overrules the judge: a product that breaks a constraint is of the lowest grade
whatever a model thinks of its text.

Pairs go to the judge in chunks that are kept at once, so that an interrupted stage goes on where it
stopped and nothing is paid for twice. A file that lacks pairs because the judge gave them no valid
grade is not finished: the same command judges again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalkit.chunks import open_chunks
from evalkit.engines import open_engine
from evalkit.errors import InputError, ModelError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say
from evalkit.relevance.pair_texts import join_texts
from evalkit.relevance.ruling import open_ruling

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from evalkit.relevance.classifier import Classifier
    from evalkit.relevance.ruling import Ruling

__all__ = ["ClassifierJudge", "Judge", "asked_pairs", "judge_pairs_of", "judge_results"]

_CHUNK = 1_000


class Judge(Protocol):
    """Anything that grades pairs of query and product."""

    @property
    def source(self) -> str:
        """What kind of judge it is, for the column source: `classifier` or `llm`."""
        ...

    @property
    def name(self) -> str:
        """Its name, for the column annotator."""
        ...

    @property
    def lowest(self) -> float:
        """The grade of a product that is out of the question."""
        ...

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """The models behind it, for the manifest; each has the role relevance and a fingerprint."""
        ...

    def judge_pairs(self, pairs: pa.Table, progress: Callable[[int], object]) -> pa.Table:
        """Grade pairs.

        Args:
            pairs: query_id, product_id, query, text.
            progress: is told of every few pairs that are done.

        Returns:
            One row a pair, in order: grade (null where it could not be judged), probability (of
            being good; null where the judge gives none), and whatever else it says.
        """
        ...


@dataclass(frozen=True)
class ClassifierJudge:
    """A trained classifier as a judge.

    Attributes:
        classifier: which.
        threshold: probability from which a product is good.
        called: its name; empty takes `classifier:` and the beginning of its fingerprint.
    """

    classifier: Classifier
    threshold: float = 0.5
    called: str = ""

    @property
    def source(self) -> str:
        """Return `classifier`."""
        return "classifier"

    @property
    def name(self) -> str:
        """Return the name that was given, or else one that follows from what it computes."""
        return (
            self.called or f"classifier:{self.classifier.fingerprint.removeprefix('sha256:')[:12]}"
        )

    @property
    def lowest(self) -> float:
        """Return the lowest grade that it knows."""
        return self.classifier.grades[0]

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """Return the classifier, as a manifest records it."""
        return (self.classifier.to_manifest("relevance"),)

    def judge_pairs(self, pairs: pa.Table, progress: Callable[[int], object]) -> pa.Table:
        """Grade pairs; the grade never contradicts probability and threshold."""
        import pyarrow as pa

        texts = list(
            zip(pairs.column("query").to_pylist(), pairs.column("text").to_pylist(), strict=True)
        )
        found = self.classifier.probabilities(texts, progress)
        return pa.table(
            {
                "grade": pa.array(self.classifier.grades_of(found, self.threshold), pa.float64()),
                "probability": pa.array(self.classifier.good_of(found).astype(np.float64)),
            }
        )


def judge_results(
    output: str | os.PathLike[str],
    judge: Judge,
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    runs: Sequence[str | os.PathLike[str]] = (),
    pairs: str | os.PathLike[str] | None = None,
    at: int | None = 10,
    fields: Sequence[str] | None = None,
    constraints: bool = False,
    catalogue_settings: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Judge what runs show, or given pairs, and write judgments; see `evalkit judge --help`.

    Args:
        output: the judgments to write.
        judge: who grades.
        queries: query_id, query; with `constraints` also structure.
        products: the catalogue.
        runs: runs whose first results are judged, each pair once.
        pairs: a table with query_id and product_id, judged besides.
        at: results of each query of each run; None takes all.
        fields: columns that make a product's text; None takes the usual ones.
        constraints: let the catalogue overrule the judge where a structure decides.
        catalogue_settings: YAML of what is special about the catalogue.
        settings: what else about the judge can change its grades, for the manifest; `good` is
            the smallest grade that its probability calls good, which `relevance agreement` reads.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        format: of the judgments.
        force: judge again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used.
        SettingsError: neither runs nor pairs, or settings that do not fit.
        ModelError: the judge cannot be loaded, or an answer never came.
    """
    import pyarrow as pa

    from evalkit.constraints.checking import CHECKS
    from evalkit.tables import write

    started = time.monotonic()
    if not runs and pairs is None:
        raise SettingsError("There is nothing to judge; give --run or --pairs.")
    if at is not None and at < 1:
        raise SettingsError(f"--at is {at}; it must be 1 or more.")
    target = Path(output)
    files = [("run", path) for path in runs]
    files += [("pairs", pairs)] if pairs is not None else []
    files += [("queries", queries), ("products", products)]
    if constraints and catalogue_settings is not None:
        files += [("catalogue_settings", catalogue_settings)]
    wanted = Manifest(
        command="evalkit judge",
        settings={
            "judge": judge.name,
            "at": at,
            "fields": list(fields) if fields is not None else None,
            "constraints": CHECKS if constraints else None,
            **(settings or {}),
            "reading": {kind: dict(each) for kind, each in (reading or {}).items()},
            "format": format,
        },
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in files),
        models=judge.models,
    )
    done = None if force else finished_before(target, wanted)
    if done is not None and not done.counts["not_judged"]:
        say(f"{target} is up to date (same inputs, judge and settings); --force judges again.")
        return done
    if done is not None:
        say(f"{target} lacks {done.counts['not_judged']:,} pairs without a grade; judging again.")
    with open_engine(memory_limit, threads) as connection:
        asked = asked_pairs(connection, runs, pairs, at, reading)
        table, counts, _ = join_texts(
            connection,
            asked,
            queries,
            products,
            fields=fields,
            of_query=("structure",) if constraints else (),
            reading=reading,
        )
        ruling = (
            open_ruling(connection, table, queries, products, catalogue_settings, reading)
            if constraints
            else None
        )
        chunks = open_chunks(target, wanted, force=force)
        if chunks.reused:
            say(f"Going on after {chunks.reused * _CHUNK:,} pairs that were judged before.")
        parts = []
        with progress_bar(table.num_rows, "Judging", "pairs") as moved:
            for number, start in enumerate(range(0, table.num_rows, _CHUNK)):
                part = table.slice(start, _CHUNK)
                told = _Told(moved)
                make = partial(judge_pairs_of, judge, part, ruling, told)
                try:
                    parts.append(chunks.get(number, make))
                except ModelError as error:
                    place = f"{start + 1:,} to {start + part.num_rows:,} of {table.num_rows:,}"
                    raise ModelError(f"Pairs {place}: {error}") from error
                moved(part.num_rows - told.count)
        judged = pa.concat_tables(parts, promote_options="permissive")
        kept = judged.filter(judged.column("grade").is_valid())
        if not kept.num_rows:
            chunks.remove()  # or the next run would only read them and say the same
            raise InputError(
                str(queries),
                [Problem(f"the judge gave no grade to any of {judged.num_rows:,} pairs")],
                remedy="Look at the model and its prompt.",
            )
        counts |= {"judged": kept.num_rows, "not_judged": judged.num_rows - kept.num_rows}
        if ruling is not None:
            overruled = np.asarray(kept.column("overruled").to_numpy(zero_copy_only=False))
            counts["overruled"] = int(overruled.sum())
        target.parent.mkdir(parents=True, exist_ok=True)
        write(kept, target, kind="judgments", format=format, connection=connection)
    warnings = _warnings(counts)
    finished = replace(wanted, counts=counts, warnings=warnings)
    finished.write(target, started=started)
    chunks.remove()
    for warning in warnings:
        say(f"Warning: {warning}")
    say(f"Wrote {target}: {kept.num_rows:,} judgments by {judge.name}.")
    return finished


class _Told:
    """Counts what a judge tells of its progress, and passes it on."""

    def __init__(self, moved: Callable[[int], object]) -> None:
        self.count = 0
        self._moved = moved

    def __call__(self, pairs: int) -> None:
        self.count += pairs
        self._moved(pairs)


def judge_pairs_of(
    judge: Judge, pairs: pa.Table, ruling: Ruling | None, progress: Callable[[int], object]
) -> pa.Table:
    """Judge one chunk and let the catalogue overrule it; return rows of judgments.

    Pairs that attributes, price, kind or brand decide against are not shown to the judge. What
    only words of a text decide is written down in `check` and left to the judge.
    """
    import pyarrow as pa

    verdict = np.zeros(pairs.num_rows, dtype=np.int8)
    decided_by_data = np.zeros(pairs.num_rows, dtype=np.bool_)
    if ruling is not None:
        verdict, decided_by_data = ruling.verdicts(pairs)
    open_ = np.flatnonzero(~decided_by_data)
    found = judge.judge_pairs(pairs.take(pa.array(open_)), progress)
    if found.num_rows != len(open_):
        raise RuntimeError(f"{judge.name} gave {found.num_rows} grades for {len(open_)} pairs")
    # One more row, which stands for what the catalogue has decided.
    decided = pa.table(
        {
            name: pa.array(
                [{"grade": judge.lowest, "probability": 0.0}.get(name)],
                found.schema.field(name).type,
            )
            for name in found.column_names
        }
    )
    place = np.full(pairs.num_rows, len(open_), dtype=np.int64)
    place[open_] = np.arange(len(open_))
    graded = pa.concat_tables([found, decided]).take(pa.array(place))
    table = pairs.select(["query_id", "product_id"])
    table = table.append_column("grade", graded.column("grade"))
    for name, value in (("source", judge.source), ("annotator", judge.name)):
        table = table.append_column(name, pa.array([value] * pairs.num_rows, pa.string()))
    for name in found.column_names:
        if name != "grade":
            table = table.append_column(name, graded.column(name))
    if ruling is not None:
        words = np.array(["fail", "unknown", "pass"], dtype=object)[verdict.astype(int) + 1]
        table = table.append_column("check", pa.array(words.tolist(), pa.string()))
        table = table.append_column("overruled", pa.array(decided_by_data))
    return table.combine_chunks()


def asked_pairs(
    connection: DuckDBPyConnection,
    runs: Sequence[str | os.PathLike[str]],
    pairs: str | os.PathLike[str] | None,
    at: int | None,
    reading: Mapping[str, Mapping[str, Any]] | None,
) -> DuckDBPyRelation:
    """Return the pairs to judge, query_id and product_id, each once.

    Args:
        connection: for reading.
        runs: runs whose first results are judged.
        pairs: a table of pairs, judged besides.
        at: results of each query of each run; None takes all.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
    """
    from evalkit.tables import read

    arguments = dict(reading or {})
    parts = []
    for number, path in enumerate(runs):
        run = read("run", path, connection, **arguments.get("run", {}))
        run.relation.create_view(f"evalkit_judged_run_{number}", replace=True)
        # The scorer's order: rank where there is one, else score, ties by product_id descending.
        order = "rank" if "rank" in run.columns else "score DESC, product_id DESC"
        place = f"row_number() OVER (PARTITION BY query_id ORDER BY {order})"
        parts.append(
            f"SELECT query_id, product_id FROM evalkit_judged_run_{number}"
            + ("" if at is None else f" QUALIFY {place} <= {at:d}")
        )
    if pairs is not None:
        given = read("pairs", pairs, connection, **arguments.get("pairs", {}))
        given.relation.create_view("evalkit_judged_pairs", replace=True)
        parts.append("SELECT query_id, product_id FROM evalkit_judged_pairs")
    return connection.sql(f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})")


def _warnings(counts: Mapping[str, int]) -> tuple[str, ...]:
    found = []
    left_out = counts["without_query"] + counts["without_product"]
    if left_out:
        found.append(
            f"{left_out:,} of {counts['pairs']:,} pairs are not judged: "
            f"{counts['without_query']:,} without a query's text, {counts['without_product']:,} "
            "without a product's."
        )
    if counts["not_judged"]:
        found.append(
            f"The judge gave no grade to {counts['not_judged']:,} pairs; the same command judges "
            "again."
        )
    return tuple(found)
