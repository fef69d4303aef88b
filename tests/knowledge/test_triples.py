"""A user's own facts in a CSV."""

from pathlib import Path

import pytest

from evalkit.errors import InputError
from evalkit.knowledge import Triple, read_triples


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "facts.csv"


def test_facts_are_read_in_lower_case_and_once(file: Path) -> None:
    file.write_text(
        "\ufeffSubject,Relation,Object\nNappa,is a, Leather \nnappa,IS_A,leather\nA,tier,luxury\n"
    )
    assert read_triples(file) == (
        Triple("nappa", "is a", "leather"),
        Triple("a", "tier", "luxury"),
    )


@pytest.mark.parametrize(
    ("text", "row", "message"),
    [
        ("subject,object\na,b\n", 1, "has no column relation"),
        ("subject,relation,object\na,is a,b\na,is like,b\n", 3, "is not a relation: 'is like'"),
        ("subject,relation,object\n,is a,b\n", 2, "column subject: is empty"),
        ("subject,relation,object\na,is a\n", 2, "column object: is empty"),
        ("subject,relation,object\na,tier,cheap\n", 2, "is not a tier: 'cheap'"),
        ("subject,relation,object\na=1,implies,b=2\n", 2, "names no need"),
    ],
)
def test_a_wrong_row_is_named_with_its_remedy(
    file: Path, text: str, row: int, message: str
) -> None:
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_triples(file)
    assert caught.value.row == row
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_all_wrong_rows_are_counted(file: Path) -> None:
    file.write_text("subject,relation,object\n" + "a,likes,b\n" * 12)
    with pytest.raises(InputError, match="12 problems") as caught:
        read_triples(file)
    assert len(caught.value.problems) == 10


def test_a_file_that_is_not_there_is_an_input_error(file: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_triples(file)
