"""WordNet's files, written here in its format."""

from pathlib import Path

import pytest

from evalkit.knowledge import wordnet_synonyms

LICENCE = "  1 This is no WordNet, only its format.  \n"


@pytest.fixture
def wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Couch and sofa are one meaning, couch and bed another; a jersey is a sweater."""
    folder = tmp_path / "dict"
    folder.mkdir()
    data = LICENCE
    places = []
    for words in (
        ["sofa", "couch", "lounge"],
        ["couch", "bed"],
        ["jersey", "Sweater", "polo_neck"],
    ):
        places.append(len(data.encode()))
        listed = " ".join(f"{word} 0" for word in words)
        data += f"{places[-1]:08d} 06 n {len(words):02x} {listed} 000 | a thing  \n"
    (folder / "data.noun").write_text(data)
    index = LICENCE
    for word, senses in (
        ("bed", [places[1]]),
        ("couch", places[:2]),
        ("polo_neck", [places[2]]),
        ("sofa", [places[0]]),
    ):
        count = len(senses)
        listed = " ".join(f"{place:08d}" for place in senses)
        index += f"{word} n {count} 1 @ {count} 1 {listed}  \n"
    (folder / "index.noun").write_text(index)
    monkeypatch.setenv("EVALKIT_WORDNET", str(tmp_path))
    return folder


@pytest.mark.usefixtures("wordnet")
def test_the_most_frequent_meaning_gives_the_synonyms() -> None:
    assert wordnet_synonyms("Couch") == ("sofa", "lounge")
    assert wordnet_synonyms("couch", senses=2) == ("sofa", "lounge", "bed")
    assert wordnet_synonyms("polo neck") == ("jersey", "sweater")


@pytest.mark.usefixtures("wordnet")
def test_a_word_that_is_not_there_has_none() -> None:
    assert wordnet_synonyms("kettle") == ()


def test_the_folder_itself_may_be_named(wordnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_WORDNET", str(wordnet))
    assert wordnet_synonyms("sofa") == ("couch", "lounge")


def test_without_wordnet_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_WORDNET", str(tmp_path))
    assert wordnet_synonyms("sofa") == ()
