"""Whether a word means what an attribute states, for the products of a kind.

"Wireless headphones" are those without a cable to the music, while the attribute that has the value
`wireless` may be the one for charging. Titles tell: if more of them say the word of products that
state another value than of products that state this one, the word speaks of something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MADE_OF", "speaks_of_something_else"]

# Of what products are made, titles promise more than holds ("silk feel"); there attributes decide.
MADE_OF = ("material", "ingredient")
_ENOUGH = 3  # titles against it, before they count
_TOLD_BY_DATA = (*MADE_OF, "colour", "color", "allergen")


def speaks_of_something_else(
    name: str,
    word: str,
    stated: NDArray[np.int8],
    titled: NDArray[np.bool_],
    kind: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which products are of a kind whose titles use a word in another sense, bool[n].

    Args:
        name: of the attribute that has the word as a value.
        word: the word.
        stated: 1 where products state it there, -1 where they state another value, int8[n].
        titled: products whose title says the word, bool[n].
        kind: of the products, -1 where it is not known, int[n].

    Example:
        >>> stated = np.array([1, -1, -1, -1, 0], dtype=np.int8)
        >>> titled = np.array([False, True, True, True, True])
        >>> kind = np.array([0, 0, 0, 0, 1])
        >>> speaks_of_something_else("charging", "wireless", stated, titled, kind)
        array([ True,  True,  True,  True, False])
    """
    if name.rstrip("s") in _TOLD_BY_DATA or any(character.isdigit() for character in word):
        return np.zeros(len(kind), dtype=np.bool_)
    place = kind + 1
    against = np.bincount(place[titled & (stated == -1)], minlength=int(place.max(initial=0)) + 1)
    supporting = np.bincount(place[titled & (stated == 1)], minlength=len(against))
    found: NDArray[np.bool_] = ((against > supporting) & (against >= _ENOUGH))[place] & (kind >= 0)
    return found
