"""`evalkit synthesize pairs` and `evalkit synthesize all`."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.output import check_output_folder, check_outputs, check_tables
from evalkit.cli.synthesize import part_options
from evalkit.cli.table_options import (
    catalogue_options,
    fields_option,
    options,
    reading_options,
    reading_settings,
)

__all__ = ["all_", "pairs"]


_settings_options = options(
    click.option(
        "--each",
        type=click.IntRange(min=1),
        default=100,
        show_default=True,
        help="Products that each rewrite takes from each index.",
    ),
    click.option(
        "--fused",
        type=click.IntRange(min=1),
        default=300,
        show_default=True,
        help="Products of a query that the constraint checker sees.",
    ),
    click.option(
        "--judged",
        type=click.IntRange(min=1),
        default=50,
        show_default=True,
        help="Products of a query that pass it and reach the classifier, best first.",
    ),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        help="Probability from which the classifier agrees; its own for --precision otherwise.",
    ),
    click.option(
        "--precision",
        type=click.FloatRange(0, 1),
        default=0.9,
        show_default=True,
        help="Precision on held-out labels that the threshold is for.",
    ),
    click.option(
        "--per-query",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        help="Pairs kept a query.",
    ),
    click.option(
        "--negatives",
        type=click.IntRange(min=0),
        default=3,
        show_default=True,
        help="Hard negatives a query.",
    ),
    click.option(
        "--price-negatives",
        is_flag=True,
        help="Hard negatives may be wrong by their price only; for models that see prices.",
    ),
    click.option(
        "--no-filters",
        "filters",
        is_flag=True,
        default=True,
        flag_value=False,
        help="Take the best found products as they are, to measure what the filters are worth.",
    ),
    click.option(
        "--positive-part/--no-positive-part",
        default=True,
        show_default=True,
        help="Search a query's own words too, without exclusions and price.",
    ),
    click.option(
        "--per-product",
        type=click.IntRange(min=1),
        default=50,
        show_default=True,
        help="Pairs kept a product.",
    ),
    click.option(
        "--dev-share",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.1,
        show_default=True,
        help="Share of the families (kind and excluded value, need, reference) for dev.",
    ),
    click.option("--seed", type=int, default=0, show_default=True),
)


_catalogue_options = options(
    click.option("--products", required=True, type=click.Path(), help="The catalogue."),
    catalogue_options,
    fields_option(""),
    click.option(
        "--held-out",
        type=click.Path(),
        help="Typed queries, such as those of the evaluation, whose families must not occur.",
    ),
)


_force = click.option("--force", is_flag=True, help="Do it again even if nothing has changed.")
_memory = click.option("--memory-limit", default="2GB", show_default=True, help="For tables.")


@click.command(
    epilog="Example: evalkit synthesize pairs --queries queries.parquet --rewrites "
    "accepted.parquet --products products.jsonl --index lexical.index --index dense.index "
    "--classifier classifier -o pairs.parquet --candidates candidates.parquet --card card.html"
)
@click.option("--queries", required=True, type=click.Path(), help="Typed queries.")
@click.option(
    "--rewrites",
    required=True,
    type=click.Path(),
    help="Their rewrites; with a column accepted, only those that are.",
)
@click.option(
    "--index",
    "indexes",
    required=True,
    multiple=True,
    type=click.Path(),
    help="Folder of an index over the catalogue. Repeatable: words and meaning.",
)
@click.option(
    "--classifier",
    required=True,
    type=click.Path(),
    help="Folder of a query-product classifier (evalkit train classifier).",
)
@click.option("-o", "--output", required=True, type=click.Path(), help="The pairs to write.")
@click.option(
    "--candidates", type=click.Path(), help="Write every product looked at, with its decision."
)
@click.option(
    "--card",
    type=click.Path(),
    help="Write the data card (.html or .md); needs --candidates.",
)
@_catalogue_options
@_settings_options
@reading_options
@_force
@_memory
def pairs(**chosen: Any) -> None:
    """Retrieve with every rewrite, filter, and write query-product pairs for training.

    Every accepted rewrite searches every index, and the lists of a query are fused. The
    constraint checker reads what the catalogue states; of the products that pass, the best fused
    reach the classifier. A pair is kept when both agree. Hard negatives come from the same
    lists: products of the right kind that break a constraint first (other than by their price,
    which most texts do not show), then other kinds. Split by family, so that no
    constraint is in both train and dev. Interrupted, the command goes on where it stopped.
    """
    from evalkit.errors import SettingsError
    from evalkit.synthesis.pairs import synthesize_pairs

    if chosen["card"] is not None and chosen["candidates"] is None:
        raise SettingsError("--card shows what was dropped and why; name --candidates too.")
    if chosen["card"] is not None and not chosen["card"].endswith((".html", ".md")):
        raise SettingsError(f"--card {chosen['card']}: name it .html or .md.")
    check_tables("pairs", chosen["output"], chosen["candidates"])
    check_outputs(chosen["output"], chosen["candidates"], chosen["card"], make_folders=True)
    synthesize_pairs(
        chosen["queries"],
        chosen["rewrites"],
        chosen["products"],
        chosen["indexes"],
        chosen["classifier"],
        chosen["output"],
        candidates=chosen["candidates"],
        held_out=chosen["held_out"],
        catalogue_settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
        settings=_pair_settings(chosen),
        fields=chosen["fields"],
        reading=reading_settings(chosen),
        force=chosen["force"],
        memory_limit=chosen["memory_limit"],
    )
    if chosen["card"] is not None:
        _write_card(
            chosen["queries"],
            chosen["rewrites"],
            chosen["candidates"],
            chosen["output"],
            chosen["card"],
            chosen["seed"],
        )


@click.command(
    "all",
    epilog="Example: evalkit synthesize all --products products.jsonl --per-type 250 -o training",
)
@_catalogue_options
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder for everything.")
@click.option(
    "--per-type",
    type=click.IntRange(min=1),
    default=250,
    show_default=True,
    help="Queries of each type.",
)
@click.option(
    "--per-family",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Queries about the same thing, as long as there are others.",
)
@part_options
@click.option(
    "--n", type=click.IntRange(min=1), default=5, show_default=True, help="Rewrites a query."
)
@click.option(
    "--judgments",
    type=click.Path(),
    help="Human grades that the classifier learns from; the catalogue's own statements otherwise.",
)
@click.option("--judged-queries", type=click.Path(), help="The queries of --judgments.")
@click.option(
    "--good", type=float, default=2.0, show_default=True, help="Grade of --judgments that is good."
)
@click.option("--classifier", type=click.Path(), help="A classifier that is there already.")
@click.option(
    "--rewrite-classifier",
    type=click.Path(),
    help="One of rewrites, which filters them instead of the cosine.",
)
@click.option("--model", help="Folder or hub id of the encoder; all-MiniLM-L6-v2 otherwise.")
@_settings_options
@reading_options
@_force
@_memory
def all_(**chosen: Any) -> None:
    """Go the whole way from a catalogue to training pairs.

    Typed queries, indexes, rewrites, the accepted rewrites (by rules, and then by the cosine of
    what the query wants and the rewrite), a classifier of products, pairs and their data card,
    each a file in the folder that any other command can read or replace. What is up to date is not
    made again; interrupted, the command goes on where it stopped.
    """
    from pathlib import Path

    from evalkit.synthesis.chain import CHAIN_WRITES, ChainSettings, synthesize_all

    folder = Path(chosen["output"])
    check_output_folder(
        chosen["output"],
        *(name for name in CHAIN_WRITES if name != "classifier" or chosen["classifier"] is None),
        *("card.html", "card.md"),
    )
    synthesize_all(
        chosen["products"],
        folder,
        ChainSettings(
            per_type=chosen["per_type"],
            per_family=chosen["per_family"],
            part=chosen["part"],
            test_share=chosen["test_share"],
            rewrites=chosen["n"],
            good=chosen["good"],
            model=chosen["model"],
            fields=chosen["fields"],
            pairs=_pair_settings(chosen),
            seed=chosen["seed"],
        ),
        catalogue_settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
        held_out=chosen["held_out"],
        judgments=chosen["judgments"],
        judged_queries=chosen["judged_queries"],
        classifier=chosen["classifier"],
        rewrite_classifier=chosen["rewrite_classifier"],
        reading=reading_settings(chosen),
        force=chosen["force"],
        memory_limit=chosen["memory_limit"],
    )
    for name in ("card.html", "card.md"):
        _write_card(
            folder / "queries.parquet",
            folder / "accepted.parquet",
            folder / "candidates.parquet",
            folder / "pairs.parquet",
            folder / name,
            chosen["seed"],
        )


def _pair_settings(chosen: dict[str, Any]) -> Any:
    from evalkit.synthesis.pairs import PairSettings

    return PairSettings(**{name: chosen[name] for name in PairSettings.__dataclass_fields__})


def _write_card(
    queries: Any, rewrites: Any, candidates: Any, pairs: Any, path: Any, seed: int
) -> None:
    from evalkit.files import write_text
    from evalkit.progress import say
    from evalkit.reports.data_card import card_markdown, write_card_page
    from evalkit.synthesis.data_card import make_card

    name = str(path)
    document = make_card(queries, rewrites, candidates, pairs, seed=seed)
    if name.endswith(".html"):
        write_card_page(document, path)
    else:
        write_text(card_markdown(document), path)
    say(f"Wrote {name}: what the filters kept and dropped.")
