"""The file of answers: rows are only added, damage is told, claims end with their process."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.errors import InputError
from evalkit.llm import Usage, open_cache
from evalkit.llm.cache import Stored, canonical

ASKED, KEY = canonical({"model": "m", "prompt": {"id": "rewrite", "version": 2}, "n": 1})
STORED = Stored('{"a": 1}', Usage(3, 4), "stop", 0.25)


def test_an_answer_comes_back_as_it_was_put(answers: Path) -> None:
    open_cache(answers).put(KEY, ASKED, STORED, {"a": 1})
    cache = open_cache(answers)
    assert cache.get([KEY, "other"]) == {KEY: STORED}
    assert len(cache) == 1


def test_a_person_can_read_what_was_asked_and_answered(answers: Path) -> None:
    open_cache(answers).put(KEY, ASKED, STORED, {"a": 1})
    row = sqlite3.connect(answers).execute(
        "SELECT model, prompt, asked, text, parsed, prompt_tokens, completion_tokens FROM answers"
    )
    assert row.fetchone() == ("m", "rewrite.v2", ASKED, '{"a": 1}', '{"a": 1}', 3, 4)


def test_the_first_answer_stays(answers: Path) -> None:
    cache = open_cache(answers)
    cache.put(KEY, ASKED, STORED)
    cache.put(KEY, ASKED, Stored("another", Usage()))
    assert cache.get([KEY])[KEY].text == '{"a": 1}'


@pytest.mark.parametrize("change", ["UPDATE answers SET text = 'x'", "DELETE FROM answers"])
def test_rows_are_neither_changed_nor_removed(answers: Path, change: str) -> None:
    open_cache(answers).put(KEY, ASKED, STORED)
    with pytest.raises(sqlite3.IntegrityError, match="only added"):
        sqlite3.connect(answers).execute(change)


def test_a_key_depends_on_what_is_asked_and_not_on_its_order() -> None:
    assert canonical({"a": 1, "b": [2]}) == canonical({"b": [2], "a": 1})
    assert canonical({"a": 1})[1] != canonical({"a": "1"})[1]


def test_more_keys_than_a_statement_takes(answers: Path) -> None:
    cache = open_cache(answers)
    keys = [canonical({"model": "m", "n": number}) for number in range(1200)]
    for asked, key in keys[::100]:
        cache.put(key, asked, STORED)
    assert set(cache.get([key for _, key in keys])) == {key for _, key in keys[::100]}


def test_a_damaged_file_is_refused_with_a_remedy(answers: Path) -> None:
    answers.write_bytes(b"this is no database, but long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="is damaged, or not a cache of answers") as caught:
        open_cache(answers)
    assert "move this one away" in str(caught.value)
    assert str(answers) in str(caught.value)


def test_damage_in_the_middle_is_told_as_well(answers: Path) -> None:
    cache = open_cache(answers)
    for number in range(300):
        asked, key = canonical({"model": "m", "n": number})
        cache.put(key, asked, STORED)
    cache.close()
    content = bytearray(answers.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    answers.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        open_cache(answers).get([key])


def test_another_program_s_database_is_left_alone(answers: Path) -> None:
    database = sqlite3.connect(answers)
    database.execute("CREATE TABLE votes (a)")
    database.close()
    with pytest.raises(InputError, match="but not a cache of answers"):
        open_cache(answers)
    tables = sqlite3.connect(answers).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("votes",)]


def test_a_newer_format_is_refused(answers: Path) -> None:
    open_cache(answers).close()
    sqlite3.connect(answers).execute("PRAGMA user_version = 2")
    with pytest.raises(InputError, match="format 2"):
        open_cache(answers)


def test_a_folder_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        open_cache(tmp_path)


def test_a_claim_holds_off_others_until_it_is_given_up(answers: Path) -> None:
    one, other = open_cache(answers), open_cache(answers)
    assert one.claim(KEY, 60) == "ours"
    assert one.claim(KEY, 60) == "ours"
    assert other.claim(KEY, 60) == "taken"
    one.release(KEY)
    assert other.claim(KEY, 60) == "ours"
    other.put(KEY, ASKED, STORED)
    assert one.claim(KEY, 60) == "there"


def test_a_claim_ends_after_its_time(answers: Path) -> None:
    one, other = open_cache(answers), open_cache(answers)
    assert one.claim(KEY, -1) == "ours"
    assert other.claim(KEY, 60) == "ours"


def test_a_claim_ends_with_its_process(answers: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from evalkit.llm import open_cache\n"
        "print(open_cache(Path(sys.argv[1])).claim(sys.argv[2], 3600))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(answers), KEY],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout == "ours\n"
    assert open_cache(answers).claim(KEY, 60) == "ours"
