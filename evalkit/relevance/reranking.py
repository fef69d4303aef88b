"""The stage behind `evalkit rerank`: a cross-encoder orders the first results of a run anew.

A cross-encoder reads query and product together, which is too slow for a catalogue and fast enough
for the first results of a query. The others stay behind those, in their order.

Pairs are scored in chunks that are kept at once, as in `evalkit.relevance.judging`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalkit.chunks import open_chunks
from evalkit.engines import open_engine
from evalkit.errors import ModelError, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.models import locate_encoder, require_models_extra
from evalkit.progress import progress_bar, say
from evalkit.relevance.classifier import load_cross_encoder, score_pairs
from evalkit.relevance.pair_texts import join_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection, DuckDBPyRelation
    from numpy.typing import NDArray
    from sentence_transformers import CrossEncoder

    from evalkit.models import ModelFiles

__all__ = ["PairScorer", "RankingModel", "open_ranking_model", "rerank_run"]

ROLE = "rerank"
"""Role of the cross-encoder among the models of a manifest."""
_CHUNK = 1_000


class PairScorer(Protocol):
    """Anything that scores pairs of query and product; a classifier does."""

    def to_manifest(self, role: str) -> dict[str, Any]:
        """Return what a manifest records of it."""
        ...

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.floating[Any]]:
        """Return a score for each pair of query and product text, float[n]; higher is better."""
        ...


@dataclass
class RankingModel:
    """A cross-encoder that gives one score a pair; see `open_ranking_model`.

    Attributes:
        files: of the model.
        max_length: tokens of a pair that are read.
        device: where it runs.
        batch_size: pairs a batch.
    """

    files: ModelFiles
    max_length: int = 256
    device: str = "auto"
    batch_size: int = 32
    _model: CrossEncoder | None = field(default=None, init=False, repr=False)

    def to_manifest(self, role: str) -> dict[str, Any]:
        """Return what a manifest records of it; the length that it reads counts too."""
        found = self.files.to_manifest(role)
        return {**found, "fingerprint": f"{found['fingerprint']}+{self.max_length} tokens"}

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float64]:
        """Return the model's raw score of each pair, float64[n].

        Raises:
            ModelError: it cannot be loaded, or gives several scores.
        """
        if self._model is None:
            model = load_cross_encoder(self.files, self.max_length, device=self.device)
            if model.num_labels != 1:
                raise ModelError(
                    f"{self.files.id} gives {model.num_labels} scores a pair, and ranking needs "
                    "one; a classifier of evalkit train classifier goes with --classifier."
                )
            self._model = model
        if not len(pairs):
            return np.zeros(0)
        return score_pairs(self._model, pairs, self.batch_size, progress)[:, 0]


def open_ranking_model(
    model: str,
    *,
    revision: str | None = None,
    allow_pickle: bool = False,
    max_length: int = 256,
    device: str = "auto",
    batch_size: int = 32,
) -> RankingModel:
    """Open any cross-encoder that ranks, such as cross-encoder/ms-marco-MiniLM-L6-v2.

    Args:
        model: its folder or hub id.
        revision: on the hub.
        allow_pickle: accept weights that are pickles, which can run code when loaded.
        max_length: tokens of a pair that are read.
        device: `auto` or a torch device.
        batch_size: pairs a batch.

    Raises:
        ModelError: not found, not safe, or not a cross-encoder.
    """
    require_models_extra("A cross-encoder", "torch", "transformers", "sentence_transformers")
    files = locate_encoder(model, revision=revision, allow_pickle=allow_pickle)
    # Any encoder could be loaded as one, with fresh random weights on top.
    if not _is_cross_encoder(files.folder):
        raise ModelError(
            f"{model} is not a cross-encoder: it scores no pairs. Take one that does, such as "
            "cross-encoder/ms-marco-MiniLM-L6-v2."
        )
    return RankingModel(files, max_length, device, batch_size)


def _is_cross_encoder(folder: Path) -> bool:
    def read(name: str) -> dict[str, Any]:
        file = folder / name
        return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}

    if read("config_sentence_transformers.json").get("model_type") == "CrossEncoder":
        return True
    architectures = read("config.json").get("architectures") or ()
    return any(str(name).endswith("ForSequenceClassification") for name in architectures)


def rerank_run(
    output: str | os.PathLike[str],
    scorer: PairScorer,
    run: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    top: int = 50,
    fields: Sequence[str] | None = None,
    system: str | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Order the first results of each query anew and write the run; see `evalkit rerank --help`.

    Equal scores keep the order of the run. Where a score is missing, because query or product has
    no text, the product stays behind those that have one. Products behind get scores too, one less
    at every place, so that the scores of a query always descend.

    Args:
        output: the run to write.
        scorer: the cross-encoder.
        run: the run to order anew.
        queries: query_id and query.
        products: the catalogue.
        top: results of each query that are scored.
        fields: columns that make a product's text; None takes the usual ones.
        system: name of the system in the run; None adds +rerank to that of the run.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        format: of the run.
        force: score again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be loaded.
    """
    import pyarrow as pa

    from evalkit.tables import read, write

    started = time.monotonic()
    if top < 1:
        raise SettingsError(f"--top is {top}; it must be 1 or more.")
    target = Path(output)
    arguments = dict(reading or {})
    files = (("run", run), ("queries", queries), ("products", products))
    wanted = Manifest(
        command="evalkit rerank",
        settings={
            "top": top,
            "fields": list(fields) if fields is not None else None,
            "system": system,
            "reading": {kind: dict(each) for kind, each in arguments.items()},
            "format": format,
        },
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in files),
        models=(scorer.to_manifest(ROLE),),
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same inputs, model and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        table = read("run", run, connection, **arguments.get("run", {}))
        asked = _first_results(connection, table, top)
        pairs, counts, _ = join_texts(
            connection, asked, queries, products, fields=fields, reading=reading
        )
        chunks = open_chunks(target, wanted, force=force)
        if chunks.reused:
            say(f"Going on after {chunks.reused * _CHUNK:,} pairs that were scored before.")
        parts = []
        with progress_bar(pairs.num_rows, "Re-ranking", "pairs") as moved:
            for number, start in enumerate(range(0, pairs.num_rows, _CHUNK)):
                part = pairs.slice(start, _CHUNK)
                told: list[int] = []

                def make(part: pa.Table = part, told: list[int] = told) -> pa.Table:
                    def tell(count: int) -> None:
                        told.append(count)
                        moved(count)

                    return _scored(scorer, part, tell)

                parts.append(chunks.get(number, make))
                moved(part.num_rows - sum(told))
        ordered = _ordered(connection, pa.concat_tables(parts), system)
        counts |= {"rows": ordered.num_rows, "scored": pairs.num_rows}
        target.parent.mkdir(parents=True, exist_ok=True)
        write(ordered, target, kind="run", format=format, connection=connection)
    warnings = _warnings(counts)
    finished = replace(wanted, counts=counts, warnings=warnings)
    finished.write(target, started=started)
    chunks.remove()
    for warning in warnings:
        say(f"Warning: {warning}")
    say(f"Wrote {target}: {ordered.num_rows:,} rows, {pairs.num_rows:,} of them scored.")
    return finished


def _first_results(connection: DuckDBPyConnection, table: Any, top: int) -> DuckDBPyRelation:
    """Keep the run as the table evalkit_rerank_run and return the pairs that are scored."""
    table.relation.create_view("evalkit_rerank_given", replace=True)
    # The scorer's order: rank where there is one, else score, ties by product_id descending.
    order = "rank" if "rank" in table.columns else "score DESC, product_id DESC"
    named = "CAST(system AS VARCHAR)" if "system" in table.columns else "NULL::VARCHAR"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE evalkit_rerank_run AS SELECT query_id, product_id, "
        f"row_number() OVER (PARTITION BY query_id ORDER BY {order}) AS place, "
        f"nullif({named}, '') AS system FROM evalkit_rerank_given"
    )
    return connection.sql(
        f"SELECT query_id, product_id FROM evalkit_rerank_run WHERE place <= {top:d}"
    )


def _scored(scorer: PairScorer, pairs: pa.Table, progress: Callable[[int], object]) -> pa.Table:
    import pyarrow as pa

    texts = list(
        zip(pairs.column("query").to_pylist(), pairs.column("text").to_pylist(), strict=True)
    )
    scores = np.asarray(scorer.score(texts, progress), dtype=np.float64)
    table = pairs.select(["query_id", "product_id"]).append_column("score", pa.array(scores))
    return table.combine_chunks()


def _ordered(connection: DuckDBPyConnection, scored: pa.Table, system: str | None) -> pa.Table:
    """Return the run in its new order: what has a score first, then the rest."""
    connection.register("evalkit_rerank_scores", scored)
    try:
        return connection.execute(
            """
            WITH placed AS (
                SELECT r.query_id, r.product_id, r.system, s.score,
                    row_number() OVER (
                        PARTITION BY r.query_id ORDER BY s.score DESC NULLS LAST, r.place
                    ) AS rank,
                    count(s.score) OVER (PARTITION BY r.query_id) AS scored,
                    coalesce(min(s.score) OVER (PARTITION BY r.query_id), 0) AS lowest
                FROM evalkit_rerank_run r LEFT JOIN evalkit_rerank_scores s
                USING (query_id, product_id)
            )
            SELECT query_id, product_id, CAST(rank AS INTEGER) AS rank,
                coalesce(score, lowest - (rank - scored)) AS score,
                coalesce(?, system || '+rerank', 'rerank') AS system
            FROM placed ORDER BY query_id, rank
            """,
            [system],
        ).to_arrow_table()
    finally:
        connection.unregister("evalkit_rerank_scores")


def _warnings(counts: Mapping[str, int]) -> tuple[str, ...]:
    missing = counts["without_query"] + counts["without_product"]
    if not missing:
        return ()
    return (
        f"{missing:,} of {counts['pairs']:,} pairs have no score and stay behind: "
        f"{counts['without_query']:,} without a query's text, {counts['without_product']:,} "
        "without a product's.",
    )
