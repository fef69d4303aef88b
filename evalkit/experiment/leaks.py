"""Whether an experiment learns from what it reports: what is certain, and what may be.

What is certain is refused when the file is read. What may be is a warning, said before any work
and beside the results: somebody may want to know what a leak is worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.experiment.description import Experiment

__all__ = ["certain_leaks", "possible_leaks"]


def certain_leaks(experiment: Experiment) -> Iterator[tuple[str, str, str]]:
    """Give the place in the file, what is wrong there, and what to do instead."""
    compared = experiment.compared
    for place, queries, _ in _learners(experiment):
        if queries in compared:
            yield place, f"{queries} is compared on, and nothing may learn from it", _OTHER
    for name, classifier in experiment.classifiers.items():
        for queries in compared:
            wanted = experiment.queries[queries]
            if classifier.judgments is not None and classifier.judgments == wanted.judgments:
                yield (
                    f"classifiers.{name}.judgments",
                    f"are those of {queries}, which is compared on",
                    _OTHER,
                )
    shares = {
        name: each.test_share for name, each in experiment.queries.items() if each.part is not None
    }
    for name, share in shares.items():
        first = next(iter(shares))
        if share != shares[first]:
            yield (
                f"queries.{name}.test_share",
                f"is {share:g}, and that of {first} is {shares[first]:g}, so families and wordings "
                "may be in both parts",
                "Give all sets with a part the same.",
            )


def possible_leaks(experiment: Experiment) -> list[str]:
    """Return warnings of sets whose families or wordings may have been learnt."""
    found: dict[str, None] = {}
    for place, queries, guarded in _learners(experiment):
        learnt = experiment.queries[queries]
        for name in experiment.compared:
            reported = experiment.queries[name]
            made = learnt.file is None and reported.file is None
            if made and learnt.part == "train" and reported.part == "test":
                continue  # the two parts share neither families nor wordings
            if name not in guarded:
                found[
                    f"{place}: {queries} may have queries like those of {name}, on which systems "
                    f"are compared; add {name} to queries.{queries}.held_out."
                ] = None
            elif made:
                found[
                    f"{place}: {queries} and {name} share wordings, since they are no parts of one "
                    f"division; give queries.{queries} part train and queries.{name} part test."
                ] = None
    return list(found)


_OTHER = "Name another set."


def _learners(experiment: Experiment) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give the place of each section that learns, its set, and the sets held out from it."""
    held_out = {name: each.held_out for name, each in experiment.queries.items()}
    for name, classifier in experiment.classifiers.items():
        if classifier.queries is not None:
            yield f"classifiers.{name}.queries", classifier.queries, held_out[classifier.queries]
    for name, rewriter in experiment.rewriters.items():
        yield f"rewriters.{name}.queries", rewriter.queries, held_out[rewriter.queries]
    for name, data in experiment.training_data.items():
        guarded = (*held_out[data.queries], *data.held_out)
        yield f"training_data.{name}.queries", data.queries, guarded
