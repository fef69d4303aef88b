"""`evalkit train rewriter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.output import check_output_folder
from evalkit.cli.table_options import (
    catalogue_options,
    columns_option,
    machine_options,
    machine_settings,
    reading_of,
)

if TYPE_CHECKING:
    from evalkit.training.rewarding import RewardSettings

__all__ = ["rewriter"]

_WEIGHTS = ("relevance", "alignment", "diversity")


@click.command(
    epilog="Example: evalkit train rewriter --queries queries.parquet --rewrites accepted.parquet "
    "--products products.jsonl -o rewriter"
)
@click.option("--queries", required=True, type=click.Path(), help="Typed queries with families.")
@click.option(
    "--rewrites",
    required=True,
    type=click.Path(),
    help="query_id and rewrite; where there is a column accepted, only those.",
)
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option("-o", "--output", required=True, type=click.Path(), help="The rewriter's folder.")
@click.option(
    "--base",
    default="scratch",
    show_default=True,
    help="scratch makes a small model; or folder or hub id of a causal language model "
    "(safetensors).",
)
@click.option("--revision", help="Branch, tag or commit of the base model on the hub.")
@click.option("--encoder", help="Folder or hub id of the encoder that rewards; all-MiniLM-L6-v2.")
@click.option(
    "--classifier",
    type=click.Path(),
    help="Folder of a classifier of rewrites, which also judges what is said of held-out queries.",
)
@click.option(
    "--lora",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="RANK",
    help="Train an adapter of this rank instead of all weights.",
)
@click.option(
    "--candidates",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Rewrites of an output.",
)
@click.option(
    "--sft-epochs",
    type=click.IntRange(min=1),
    help="Passes of the warm start; by the base model otherwise.",
)
@click.option(
    "--sft-batch-size",
    type=click.IntRange(min=1),
    help="Examples a step of the warm start; 16 otherwise.",
)
@click.option("--sft-learning-rate", type=float, help="By the base model otherwise.")
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="Steps of REINFORCE++; 0 is the warm start alone.",
)
@click.option(
    "--prompts",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Queries a step.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=2),
    default=4,
    show_default=True,
    help="Outputs of a query in a step.",
)
@click.option("--learning-rate", type=float, help="Of REINFORCE++; by the base model otherwise.")
@click.option(
    "--beta",
    type=click.FloatRange(min=0),
    default=0.03,
    show_default=True,
    help="Weight of the divergence from the warm start.",
)
@click.option(
    "--baseline/--no-baseline",
    default=True,
    show_default=True,
    help="Count what an output earns beyond the mean of its query's outputs.",
)
@click.option(
    "--epochs-per-batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Updates from the outputs of a step.",
)
@click.option(
    "--rows-per-pass",
    type=click.IntRange(min=1),
    help="Outputs that go through the model at once, all otherwise; fewer take less memory and "
    "give the same update.",
)
@click.option(
    "--weights",
    default="relevance=1,alignment=1,diversity=0.5",
    show_default=True,
    metavar="NAME=W,...",
    help="Weights of the rewards.",
)
@click.option(
    "--held-out",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the families that is kept from training, for the figures before and after.",
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Steps between checkpoints.",
)
@catalogue_options
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@columns_option
@machine_options
def rewriter(**chosen: Any) -> None:
    """Train a rewriter: a warm start on accepted rewrites, then REINFORCE++.

    The rewards are the relevance of each rewrite to what its query wants, its alignment with
    product titles, and how much the rewrites differ; a rewrite that breaks a rule earns none. The
    folder holds the model (safetensors), policy.json with rewards and figures on held-out families
    before and after, log.jsonl with a row a step, TensorBoard's events and curves.html; evalkit
    rewrite --rewriter takes it. A training that was stopped goes on from its last checkpoint.
    """
    from evalkit.cli.options import column_names
    from evalkit.reports.training_curves import write_training_curves
    from evalkit.training.policy import train_policy
    from evalkit.training.policy_settings import PolicySettings

    check_output_folder(chosen["output"])
    same = (
        "candidates", "held_out", "lora", "sft_epochs", "sft_batch_size", "sft_learning_rate",
        "steps", "prompts", "samples", "learning_rate", "beta", "baseline", "epochs_per_batch",
        "rows_per_pass", "checkpoint_every", "seed", "device",
    )  # fmt: skip
    train_policy(
        chosen["output"],
        chosen["queries"],
        chosen["rewrites"],
        chosen["products"],
        base=chosen["base"],
        revision=chosen["revision"],
        encoder=chosen["encoder"],
        classifier=chosen["classifier"],
        settings=PolicySettings(
            **{name: chosen[name] for name in same}, rewards=_rewards(chosen["weights"])
        ),
        catalogue_settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
        reading=reading_of(column_names(chosen["maps"]), "queries", "rewrites", "products"),
        page=write_training_curves,
        **machine_settings(chosen),
    )


def _rewards(text: str) -> RewardSettings:
    """Read `relevance=1,diversity=0.5`; what is not named keeps its usual weight.

    Raises:
        SettingsError: a name is unknown, or a weight is no number.
    """
    from evalkit.errors import SettingsError
    from evalkit.training.rewarding import RewardSettings

    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(value)
        except ValueError:
            weight = None
        if name not in _WEIGHTS or weight is None:
            raise SettingsError(
                f"--weights has {part.strip()!r}; write {', '.join(f'{it}=1' for it in _WEIGHTS)}."
            )
        found[name] = weight
    return RewardSettings(**found)
