"""What the tables are: their kinds, their columns, and the names other tools give those columns.

Nothing here reads a file. `resolve_columns` turns the names found in a file into canonical names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from evalkit.errors import InputError, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "FORMATS",
    "KINDS",
    "PAGE_GRADES",
    "SCHEMAS",
    "TREC_FIELDS",
    "Column",
    "Format",
    "Kind",
    "Order",
    "Role",
    "Schema",
    "resolve_columns",
]

Kind = Literal[
    "run", "judgments", "page_grades", "votes", "queries", "products", "per_query", "rewrites",
    "pairs",
]  # fmt: skip
Format = Literal["trec", "csv", "tsv", "jsonl", "parquet"]
Order = Literal["rank", "score"]
Role = Literal[
    "id", "score", "rank", "position", "grade", "page_grade", "weight", "text", "extra",
    "annotator", "preference", "vote", "gold_preference", "side", "vote_kind", "flag", "whole",
    "number",
]  # fmt: skip

KINDS: tuple[Kind, ...] = get_args(Kind)
FORMATS: tuple[Format, ...] = get_args(Format)
PAGE_GRADES = ("good", "mid", "bad")


@dataclass(frozen=True)
class Schema:
    """The columns of one kind of table.

    Attributes:
        roles: canonical columns and how each is read and checked.
        required: columns without which the table means nothing.
        key: columns whose combination must not repeat (those that the file has).
        aliases: names that other tools use, lower case with underscores.
        weak_aliases: names that are used only when nothing better is in the file.
        thing: what one row is, for error texts.
        infer_extras: whether other columns of a text file become numbers when all values are.
    """

    roles: Mapping[str, Role]
    required: tuple[str, ...]
    key: tuple[str, ...]
    aliases: Mapping[str, str]
    weak_aliases: Mapping[str, str]
    thing: str
    infer_extras: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes:
        source: its name in the file.
        name: its name in the table: canonical, or the file's own for an extra column.
        role: how it is read and checked.
        position: its 0-based place in the file.
    """

    source: str
    name: str
    role: Role
    position: int


_QUERY_ALIASES = dict.fromkeys(
    ("qid", "topic", "topic_id", "query_id", "queryid", "query_no", "query_number"), "query_id"
)
_PRODUCT_ALIASES = dict.fromkeys(
    (
        "asin", "corpus_id", "doc", "doc_id", "docid", "docno", "document", "document_id", "item",
        "item_id", "itemid", "pid", "product", "productid", "sku",
    ),
    "product_id",
)  # fmt: skip
_ANNOTATOR_ALIASES = dict.fromkeys(
    ("annotator_id", "assessor", "assessor_id", "rater", "rater_id", "worker", "worker_id"),
    "annotator",
)
_SYSTEM_ALIASES = dict.fromkeys(("run", "run_id", "runid", "system_id", "tag"), "system")

SCHEMAS: Mapping[Kind, Schema] = {
    "run": Schema(
        roles={
            "query_id": "id",
            "product_id": "id",
            "rank": "rank",
            "score": "score",
            "system": "text",
        },
        required=("query_id", "product_id"),
        key=("query_id", "product_id"),
        aliases={
            **_QUERY_ALIASES, **_PRODUCT_ALIASES, **_SYSTEM_ALIASES,
            "position": "rank", "sim": "score", "similarity": "score",
        },
        weak_aliases={"query": "query_id"},
        thing="product of the query",
    ),
    "judgments": Schema(
        roles={
            "query_id": "id",
            "product_id": "id",
            "grade": "grade",
            "source": "text",
            "annotator": "text",
        },
        required=("query_id", "product_id", "grade"),
        key=("query_id", "product_id", "source", "annotator"),
        aliases={
            **_QUERY_ALIASES, **_PRODUCT_ALIASES, **_ANNOTATOR_ALIASES,
            **dict.fromkeys(
                ("esci_label", "judgement", "judgment", "label", "rating", "rel", "relevance"),
                "grade",
            ),
        },
        weak_aliases={"query": "query_id", "score": "grade"},
        thing="judgment",
    ),
    "page_grades": Schema(
        roles={
            "query_id": "id",
            "system": "id",
            "page_grade": "page_grade",
            "annotator": "text",
        },
        required=("query_id", "system", "page_grade"),
        key=("query_id", "system", "annotator"),
        aliases={**_QUERY_ALIASES, **_ANNOTATOR_ALIASES, **_SYSTEM_ALIASES},
        weak_aliases={"query": "query_id", "grade": "page_grade", "label": "page_grade"},
        thing="page grade",
    ),
    "votes": Schema(
        roles={
            "query_id": "id",
            "annotator": "annotator",
            "preference": "preference",
            "vote": "vote",
            "treatment_side": "side",
            "both_bad": "flag",
            "kind": "vote_kind",
            "set_aside": "flag",
            "counts": "flag",
            "position": "whole",
            "study": "text",
            "task_id": "text",
            "assignment_id": "text",
            "revision": "whole",
            "gold_preference": "gold_preference",
            "twin_of": "text",
            "seconds": "number",
            "reasons": "text",
            "comment": "text",
        },
        required=("query_id", "annotator", "preference"),
        key=("query_id", "annotator", "kind", "study", "task_id", "assignment_id", "revision"),
        aliases={
            **_QUERY_ALIASES, **_ANNOTATOR_ALIASES,
            "choice": "vote", "winner": "vote", "side": "treatment_side",
        },
        weak_aliases={"query": "query_id"},
        thing="vote",
        infer_extras=True,
    ),
    "queries": Schema(
        roles={"query_id": "id", "query": "text", "weight": "weight"},
        required=("query_id",),
        key=("query_id",),
        aliases={**_QUERY_ALIASES, "query_text": "query"},
        weak_aliases={"id": "query_id", "text": "query"},
        thing="query",
        infer_extras=True,
    ),
    "products": Schema(
        roles={"product_id": "id", "title": "text", "brand": "text"},
        required=("product_id",),
        key=("product_id",),
        aliases={**_PRODUCT_ALIASES, "product_title": "title", "product_brand": "brand"},
        weak_aliases={"id": "product_id", "name": "title"},
        thing="product",
        infer_extras=True,
    ),
    "rewrites": Schema(
        roles={"query_id": "id", "rewrite": "id"},
        required=("query_id", "rewrite"),
        key=("query_id", "rewrite"),
        aliases={**_QUERY_ALIASES, "rewrite_text": "rewrite", "rewritten_query": "rewrite"},
        weak_aliases={"text": "rewrite"},
        thing="rewrite of the query",
        infer_extras=True,
    ),
    "pairs": Schema(
        roles={"query_id": "id", "product_id": "id", "query": "text"},
        required=("query_id", "product_id"),
        key=("query_id", "product_id"),
        aliases={**_QUERY_ALIASES, **_PRODUCT_ALIASES},
        weak_aliases={},
        thing="product of the query",
        infer_extras=True,
    ),
    "per_query": Schema(
        roles={"query_id": "id", "measure": "id"},
        required=("query_id", "measure"),
        key=(),
        aliases=_QUERY_ALIASES,
        weak_aliases={},
        thing="figure of the query",
        infer_extras=True,
    ),
}  # fmt: skip

# Field by field; None is read past: `Q0` and `iter` carry nothing.
TREC_FIELDS: Mapping[str, tuple[str | None, ...]] = {
    "run": ("query_id", None, "product_id", "rank", "score", "system"),
    "judgments": ("query_id", None, "product_id", "grade"),
}


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def resolve_columns(
    kind: Kind,
    names: Sequence[str],
    *,
    path: str,
    mapping: Mapping[str, str] | None = None,
    order: Order | None = None,
) -> tuple[Column, ...]:
    """Give every column of a file its canonical name.

    A name given by `mapping` wins over a canonical name, that over an alias, and that over an
    alias which is used only when nothing better is there (`query` as the query id of a run).

    Args:
        kind: the kind of table.
        names: the file's column names, in file order.
        path: the file, for error texts.
        mapping: canonical name to the file's name.
        order: which column will order the run.

    Raises:
        SettingsError: `mapping` names a column that this kind of table does not have.
        InputError: a column is missing, or two columns mean the same.

    >>> columns = resolve_columns("run", ["qid", "ASIN", "rank", "price"], path="run.csv")
    >>> [column.name for column in columns]
    ['query_id', 'product_id', 'rank', 'price']
    """
    schema = SCHEMAS[kind]
    has = f"The file has: {', '.join(names) or 'no columns'}."
    _refuse_repeated_names(names, path)
    wanted = dict(mapping or {})
    for canonical, source in wanted.items():
        if canonical not in schema.roles:
            known = ", ".join(schema.roles)
            raise SettingsError(
                f"--map {canonical}={source}: a {kind} table has no column {canonical!r}; "
                f"it has {known}."
            )
        if source not in names:
            raise InputError(
                path,
                [Problem(f"no column {source!r}, which --map {canonical}={source} names")],
                remedy=has,
            )
    taken = {source: canonical for canonical, source in wanted.items()}
    if len(taken) < len(wanted):
        raise SettingsError(f"--map gives one column of {path} two names: {wanted}.")

    claims: dict[str, list[str]] = {}
    for source, canonical in taken.items():
        claims.setdefault(canonical, []).append(source)
    for source in names:
        if source not in taken and _plain(source) in schema.roles:
            claims.setdefault(_plain(source), []).append(source)
    for source in names:
        canonical = schema.aliases.get(_plain(source), "")
        known_already = source in taken or _plain(source) in schema.roles
        if canonical and not known_already and canonical not in wanted:
            claims.setdefault(canonical, []).append(source)
    for source in names:
        canonical = schema.weak_aliases.get(_plain(source), "")
        known_already = source in taken or _plain(source) in schema.roles
        if canonical and not known_already and canonical not in claims:
            claims[canonical] = [source]

    if kind == "votes" and "preference" in claims and "vote" not in wanted:
        claims.pop("vote", None)
    for canonical, sources in claims.items():
        if len(sources) > 1:
            raise InputError(
                path,
                [Problem(f"columns {' and '.join(map(repr, sources))} both mean {canonical}")],
                remedy=f"Say which one with --map {canonical}=COLUMN, or rename the other.",
            )
    canonical_of = {sources[0]: canonical for canonical, sources in claims.items()}
    _refuse_missing(kind, schema, set(claims), names, path, order)
    columns = []
    for position, source in enumerate(names):
        name = canonical_of.get(source, source)
        role: Role = schema.roles.get(name, "extra") if source in canonical_of else "extra"
        if role == "rank" and order == "score":
            role = "position"
        columns.append(Column(source, name or f"column_{position + 1}", role, position))
    return tuple(columns)


def _refuse_repeated_names(names: Sequence[str], path: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        # DuckDB's column names ignore case, so `Brand` and `brand` cannot both be kept.
        if name and name.casefold() in seen:
            raise InputError(
                path,
                [Problem(f"two columns are called {seen[name.casefold()]!r} and {name!r}")],
                remedy="Rename one of them (upper and lower case count as the same).",
            )
        seen[name.casefold()] = name


def _refuse_missing(
    kind: Kind,
    schema: Schema,
    found: set[str],
    names: Sequence[str],
    path: str,
    order: Order | None,
) -> None:
    missing = [name for name in schema.required if name not in found]
    if kind == "votes" and "vote" in found and "preference" in missing:
        missing.remove("preference")
        if "treatment_side" not in found:
            raise InputError(
                path,
                [Problem("votes as shown need a column treatment_side")],
                remedy="Add it (left or right, where the treatment stood), or give a column "
                f"preference instead. The file has: {', '.join(names)}.",
            )
    if kind == "run" and not missing:
        if order is not None and order not in found:
            missing = [order]
        elif "rank" not in found and "score" not in found:
            raise InputError(
                path,
                [Problem("neither a rank nor a score column")],
                remedy=f"The file has: {', '.join(names)}. "
                "Name one with --map rank=COLUMN or --map score=COLUMN.",
            )
    if missing:
        raise InputError(
            path,
            [Problem(f"no column {name}") for name in missing],
            remedy=f"The file has: {', '.join(names) or 'no columns'}. "
            f"Name it with --map {missing[0]}=COLUMN.",
        )
