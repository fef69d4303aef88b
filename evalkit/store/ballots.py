"""One answer: whether it fits its task, what it says of the treatment, and what was right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.errors import StoreError
from evalkit.tables.schema import PAGE_GRADES

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from evalkit.store.values import Ballot, Side, StudyDesign

__all__ = ["accepted", "check_ballot", "clean", "preference_of", "shown_answer"]


def check_ballot(design: StudyDesign, ballot: Ballot, products: Set[str]) -> None:
    """Refuse an answer that the page could not have given.

    Args:
        design: of the study.
        ballot: the answer.
        products: products of both lists.

    Raises:
        StoreError: with what does not fit.
    """
    unknown = [name for name in ballot.items if name not in products]
    if unknown:
        raise StoreError(f"Product {unknown[0]!r} is not in this task; reload the page.")
    if set(ballot.pages) - {"left", "right"} or set(ballot.pages.values()) - set(PAGE_GRADES):
        raise StoreError("Pages are left and right, and their grades good, mid and bad.")
    if design.kind == "grade":
        _check_grades(design, ballot, products)
        return
    limit = 1 if design.scale == 3 else 2
    shown = ballot.shown if ballot.shown is not None or not ballot.both_bad else 0
    if isinstance(shown, bool) or not isinstance(shown, int) or not -limit <= shown <= limit:
        raise StoreError(f"A vote is a whole number from {-limit} to {limit}, not {shown!r}.")
    if ballot.both_bad and shown != 0:
        raise StoreError("Both bad is a kind of the same, so it goes with 0.")
    if ballot.pages:
        raise StoreError("Pages are graded in grade studies only.")
    if set(ballot.items.values()) - {"good", "bad"}:
        raise StoreError("Items are marked good or bad.")


def preference_of(design: StudyDesign, ballot: Ballot, side: Side) -> int | None:
    """Return what an answer says for the treatment, which stands at `side`."""
    if design.kind == "grade":
        return None
    shown = ballot.shown or 0
    return shown if side == "right" else -shown


def accepted(
    answer: Mapping[str, Any], preference: int | None, items: Mapping[str, str | int]
) -> bool:
    """Return whether an answer is among those that are right."""
    if preference is not None:
        return (preference > 0) - (preference < 0) in answer["preferences"]
    return all(items.get(product) in grades for product, grades in answer["grades"].items())


def shown_answer(answer: Mapping[str, Any], side: Side, *, right: bool) -> str:
    """Return what to say after a practice task, in terms of what was on the screen."""
    explanation = str(answer["explanation"]).strip()
    if right:
        return f"Right. {explanation}".strip()
    other: Side = "left" if side == "right" else "right"
    words = {1: f"{side} is better", 0: "both are the same", -1: f"{other} is better"}
    if answer["preferences"]:
        expected = " or ".join(words[sign] for sign in answer["preferences"])
    else:
        expected = "other grades"
    return f"The expected answer is: {expected}. {explanation}".strip()


def clean(text: str) -> str:
    r"""Return text without what no database keeps: NUL, and halves of characters.

    Example:
        >>> clean("fine\x00 " + chr(0xD800))
        'fine ?'
    """
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _check_grades(design: StudyDesign, ballot: Ballot, products: Set[str]) -> None:
    if ballot.shown is not None or ballot.both_bad:
        raise StoreError("A grade study asks for grades, not for a preference.")
    levels = [grade for grade, _ in design.levels]
    strange = [grade for grade in ballot.items.values() if grade not in levels]
    if strange:
        raise StoreError(f"A grade is one of {', '.join(map(str, levels))}, not {strange[0]!r}.")
    missing = len(products) - len(ballot.items)
    if missing:
        raise StoreError(f"{missing} of {len(products)} items have no grade yet.")
