"""The stage behind `evalkit train rewriter`: accepted rewrites become a rewriter.

First it learns to say what was accepted, then REINFORCE++ moves it towards what earns more
(`evalkit.training.reinforce_trainer`). What it is worth is measured on queries of families that it
never saw, before the rewards and after. The warm start, checkpoints and the log so far lie in a
folder beside the output (`<output>.checkpoints`) until the output stands, so that a training that
was stopped goes on, to the same weights.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.engines import open_engine
from evalkit.files import write_text
from evalkit.knowledge import CatalogueFiles
from evalkit.models import ModelFiles, cache_folder, locate_encoder
from evalkit.progress import progress_bar, say
from evalkit.rewriting.policy import (
    FORMAT,
    POLICY_FILE,
    Policy,
    candidates_of,
    completion_of,
    load_language_model,
    prompt_of,
)
from evalkit.training.loop import require_trainer
from evalkit.training.model_folder import Trained, fill_model_folder
from evalkit.training.policy_examples import PolicyExamples, read_policy_examples
from evalkit.training.policy_kept import open_kept, planned_policy
from evalkit.training.policy_settings import SCRATCH_BASE, PolicySettings
from evalkit.training.policy_warm_start import save_model, warm_start
from evalkit.training.processes import is_main, main_first, wait_for_all
from evalkit.training.rewarding import Rewarder, calibrate_gates
from evalkit.training.supervised import add_lora

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.manifest import Manifest
    from evalkit.relevance.rewrite_scorers import Scorer
    from evalkit.retrieval import SentenceEncoder
    from evalkit.training.policy_looks import Looks

    Page = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any], Path], None]

__all__ = ["LOG_FILE", "PAGE_FILE", "PolicySettings", "train_policy"]

LOG_FILE = "log.jsonl"
_WARM, _REWARDED = "supervised", "reinforce"  # stages in the log
PAGE_FILE = "curves.html"


def train_policy(
    output: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    base: str = SCRATCH_BASE,
    revision: str | None = None,
    encoder: str | None = None,
    classifier: str | os.PathLike[str] | None = None,
    settings: PolicySettings | None = None,
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    page: Page | None = None,
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Train a rewriter; see `evalkit train rewriter --help`.

    Args:
        output: the rewriter's folder; it appears when it is complete.
        queries: query_id and query; structure, query_type and family where known.
        rewrites: query_id and rewrite; accepted where they were filtered.
        products: the catalogue.
        base: `scratch`, or folder or hub id of a causal language model.
        revision: of `base` on the hub.
        encoder: folder or hub id of the encoder that rewards; None takes all-MiniLM-L6-v2.
        classifier: folder of a classifier of rewrites, which also judges what is said of held-out
            queries; it has no part in the rewards.
        settings: of the training; None takes the usual ones.
        catalogue_settings: YAML of what is special about the catalogue.
        triples: CSV of what else is known.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        page: writes the page of curves from the log's rows and the document of `policy.json`.
        force: train again in any case, from the beginning.
        memory_limit: for reading.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: a model cannot be found, trusted or loaded, or a package is missing.
    """
    from evalkit.relevance.classifier import open_classifier
    from evalkit.relevance.rewrite_scorers import TrainedScorer
    from evalkit.retrieval import EncoderSettings, open_encoder
    from evalkit.training.reinforce_trainer import check_reinforce

    # Before torch is loaded: idle threads would spin, and take the cores from whoever shares them.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    chosen = (settings or PolicySettings()).filled(base)
    require_trainer("Training a rewriter", *(["peft"] if chosen.lora else []))
    if chosen.steps:
        check_reinforce(chosen.reinforcing(base), tensorboard=True)
    read_so = {kind: dict(each) for kind, each in (reading or {}).items()}
    shop = CatalogueFiles(products, catalogue_settings, triples, read_so.get("products", {}))
    found = (
        None if base == SCRATCH_BASE else locate_encoder(base, revision=revision, option="--base")
    )
    rewarding = open_encoder(encoder, EncoderSettings(device=chosen.device))
    judge = (
        open_classifier(classifier, use="rewrites", device=chosen.device) if classifier else None
    )
    files = {"queries": queries, "rewrites": rewrites, **shop.paths()}
    others = [rewarding.files.to_manifest("encoder")]
    if judge is not None:
        others.append(judge.to_manifest("classifier"))
    wanted = planned_policy(files, found, others, chosen, read_so)
    kept = Path(output).with_name(f"{Path(output).name}.checkpoints")
    used: list[Path] = []

    def train(folder: Path) -> Trained:
        if is_main():
            open_kept(kept, wanted, force=force)
            used.append(kept)
        wait_for_all()
        with open_engine(memory_limit, threads) as connection:
            examples = read_policy_examples(
                connection,
                shop.open(connection),
                queries,
                rewrites,
                held_out=chosen.held_out,
                seed=chosen.seed,
                reading=read_so,
            )
        scorer = TrainedScorer(judge) if judge is not None else None
        return _Training(examples, rewarding, scorer, chosen, found, kept).fill(folder, page)

    finished = fill_model_folder(output, wanted, train, device=chosen.device, force=force)
    for folder in used:  # what another training left stays where the output was up to date
        shutil.rmtree(folder)
    return finished


@dataclass(frozen=True)
class _Training:
    """One training, from examples to the files of its folder.

    Attributes:
        examples: what is learnt and what is held out.
        encoder: rewards.
        judge: judges what is said of held-out queries, and has no part in the rewards.
        settings: complete ones.
        base: files of the model to begin with; None makes a new one.
        kept: the folder that survives an interruption.
    """

    examples: PolicyExamples
    encoder: SentenceEncoder
    judge: Scorer | None
    settings: PolicySettings
    base: ModelFiles | None
    kept: Path

    def fill(self, folder: Path, page: Page | None) -> Trained:
        from evalkit.training.policy_looks import Looks
        from evalkit.training.policy_watch import alarm, errors

        chosen, held_out = self.settings, self.examples.held_out
        warm, warm_rows = warm_start(self.examples, chosen, self.base, self.kept)
        with main_first():  # the others find the embeddings in the cache
            rewarder = self.rewarder()

        looks = Looks(held_out, rewarder, self.judge, self.kept, chosen.seed)

        def loaded() -> Policy:
            model, tokenizer = load_language_model(warm, chosen.device)
            return Policy(model.eval(), tokenizer, chosen.candidates)

        policy = loaded()
        if is_main():
            looks.measure("before", policy, policy)
        wait_for_all()
        seen = after_seen = looks.seen("before")
        rows: list[Mapping[str, float]] = []
        if chosen.steps:
            model = self.reinforce(policy, looks, warm_rows, rows)
            policy = replace(policy, model=model.eval())
            if is_main():
                looks.measure("after", policy, loaded())
            wait_for_all()
            after_seen = looks.seen("after")
        before, after = seen.figures(), after_seen.figures()
        if not is_main():
            return Trained(self.examples.counts, _worth(before, after))
        alarms = alarm(seen, after_seen)
        document = {
            "format": FORMAT,
            "candidates": chosen.candidates,
            "base": self.base.id if self.base is not None else SCRATCH_BASE,
            "lora": chosen.lora,
            "gates": dict(rewarder.gates),
            "rewards": asdict(chosen.rewards),
            "held_out": {
                "queries": len(held_out),
                "families": self.examples.counts["held_out_families"],
            },
            "supervised": _last_figures(warm_rows),
            "before": before,
            "after": after,
            "errors": errors(seen, after_seen) if chosen.steps else {},
            "alarms": alarms,
        }
        self.write(folder, policy.model, policy.tokenizer, document, warm_rows, rows)
        if page is not None:
            page(rows, document, folder / PAGE_FILE)
        notes = (*_by_type(before, after), *(f"Warning: {each}" for each in alarms))
        rows_read = {"products": len(self.examples.catalogue)}
        return Trained(self.examples.counts, _worth(before, after), notes, rows_read, tuple(alarms))

    def rewarder(self) -> Rewarder:
        from evalkit.retrieval.embedding_cache import CachedEncoder

        examples, chosen = self.examples, self.settings
        titles = examples.catalogue.titles
        cached = CachedEncoder(self.encoder, cache_folder() / "embeddings")
        with progress_bar(len(titles), "Encoding products", "titles") as moved:
            products = cached.encode(titles, "document", moved)
        gates = calibrate_gates(
            cached,
            examples.learnt,
            # as they are taught and read
            [
                candidates_of(completion_of(examples.rewrites[query.query_id]))
                for query in examples.learnt
            ],
            chosen.rewards.keep,
        )
        # held-out queries may be of a type that nothing was learnt of
        least = min(gates.values())
        gates |= {
            query.structure.query_type: least
            for query in examples.held_out
            if query.structure.query_type not in gates
        }
        return Rewarder(
            self.encoder, products, examples.graph, gates, chosen.rewards, chosen.candidates
        )

    def reinforce(
        self,
        policy: Policy,
        looks: Looks,
        warm_rows: Sequence[Mapping[str, float]],
        rows: list[Mapping[str, float]],
    ) -> Any:
        """Train with rewards; add the log's rows to `rows`, and to a file that can be followed."""
        from evalkit.training.reinforce_trainer import run_reinforce

        chosen, learnt = self.settings, self.examples.learnt

        def reward(
            numbers: Sequence[int], completions: Sequence[str]
        ) -> tuple[NDArray[Any], Mapping[str, float]]:
            asked = [learnt[number] for number in numbers]
            found = looks.rewarder.score(asked, [candidates_of(text) for text in completions])
            return found.total, found.figures([query.structure.query_type for query in asked])

        model = policy.model
        if chosen.lora:
            # A fresh one: without it the model is the warm start, from which divergence counts.
            model = add_lora(model, chosen.lora, chosen.seed + 1)
        log = self.kept / LOG_FILE

        def note(row: Mapping[str, float]) -> None:
            rows.append(row)
            with log.open("a", encoding="utf-8") as stream:
                stream.write(_line(_REWARDED, row))

        if is_main():  # who alone is given rows, from the first step on also when going on
            write_text("".join(_line(_WARM, row) for row in warm_rows), log)
        say(f"REINFORCE++: {chosen.steps} steps of {chosen.prompts} x {chosen.samples} outputs.")
        return run_reinforce(
            model,
            policy.tokenizer,
            [prompt_of(query) for query in learnt],
            reward,
            chosen.reinforcing(self.base.id if self.base is not None else SCRATCH_BASE),
            checkpoints=self.kept / "reinforce",
            log=note,
            tensorboard=self.kept / "tensorboard" if is_main() else None,
            look=lambda model: looks.glance(replace(policy, model=model)),
        )

    def write(
        self,
        folder: Path,
        model: Any,
        tokenizer: Any,
        document: Mapping[str, Any],
        warm_rows: Sequence[Mapping[str, float]],
        rows: Sequence[Mapping[str, float]],
    ) -> None:
        """Write everything but the page."""
        save_model(model, tokenizer, folder)
        _write_json(folder / POLICY_FILE, document)
        lines = [_line(_WARM, row) for row in warm_rows] + [_line(_REWARDED, row) for row in rows]
        write_text("".join(lines), folder / LOG_FILE)
        if (self.kept / "tensorboard").is_dir():
            shutil.copytree(self.kept / "tensorboard", folder / "tensorboard")


def _line(stage: str, row: Mapping[str, float]) -> str:
    return json.dumps({"stage": stage, **row}) + "\n"


def _last_figures(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the last loss of the warm start, and that on held-out queries where they have one."""
    names = ("step", "loss", "held_out_loss")
    return {name: row[name] for row in rows for name in names if name in row}


def _write_json(file: Path, document: Any) -> None:
    write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", file)


def _overall(measured: Mapping[str, Mapping[str, float]], name: str) -> float:
    return float(measured["all"][name])


def _worth(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if after == before:
        return (
            "The warm start alone. On held-out queries: reward "
            f"{_overall(before, 'reward'):.3f}, accepted {_overall(before, 'accepted'):.3f}."
        )
    return (
        f"On held-out queries: reward {_overall(before, 'reward'):.3f} before the rewards, "
        f"{_overall(after, 'reward'):.3f} after; accepted {_overall(before, 'accepted'):.3f} and "
        f"{_overall(after, 'accepted'):.3f}."
    )


def _by_type(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{kind}: reward {before[kind]['reward']:.3f} to {after[kind]['reward']:.3f}, "
        f"accepted {before[kind]['accepted']:.3f} to {after[kind]['accepted']:.3f}."
        for kind in after
        if kind != "all"
    )
