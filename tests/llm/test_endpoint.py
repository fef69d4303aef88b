"""A server that fails in every way it can: everything arrives, nothing is lost or paid twice."""

import asyncio
import itertools
import json
import time
from pathlib import Path

import pytest

from evalkit.errors import ModelError, SettingsError
from evalkit.llm import BUDGET_REACHED, Answer, Budget, Message, PromptVersion, need_answers
from evalkit.llm.openai_endpoint import EndpointSettings, open_endpoint, waits
from tests.llm.conftest import KEY, Opened, ask
from tests.llm.fake_server import Action, Drip, Drop, Hang, Raw, Say, Status, answer_to, fake_server

QUESTIONS = [f"question {number}" for number in range(24)]
GRADES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["grade"],
    "properties": {"grade": {"type": "integer", "enum": [0, 1, 2]}},
}


def texts(answers: list[Answer]) -> list[str]:
    return [answer.texts[0] for answer in answers]


def number(question: str) -> int:
    return int(question.split()[1])


def test_all_answers_arrive_in_order(opened: Opened) -> None:
    with fake_server() as server:
        model = opened(server.url)
        answers = model.generate(ask(*QUESTIONS))
    assert texts(answers) == [answer_to(question) for question in QUESTIONS]
    assert server.requests == len(QUESTIONS)
    assert not any(answer.error or answer.cached for answer in answers)
    assert answers[0].usage.tokens == 15
    assert (model.counts.prompt_tokens, model.counts.completion_tokens) == (240, 120)


def test_the_question_is_sent_as_it_is_with_its_settings(opened: Opened) -> None:
    with fake_server() as server:
        talk = [Message("system", "be brief"), Message("user", "héllo")]
        opened(server.url).generate([talk], temperature=0.3, max_tokens=7, seed=11)
    assert server.bodies == [
        {
            "model": "fake",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "héllo"},
            ],
            "temperature": 0.3,
            "max_tokens": 7,
            "seed": 11,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_second_run_sends_nothing(opened: Opened) -> None:
    with fake_server() as server:
        first = opened(server.url).generate(ask(*QUESTIONS))
        model = opened(server.url)
        second = model.generate(ask(*QUESTIONS))
    assert server.requests == len(QUESTIONS)
    assert texts(second) == texts(first)
    assert all(answer.cached for answer in second)
    assert [answer.usage for answer in second] == [answer.usage for answer in first]
    assert (model.counts.cached, model.counts.requests) == (len(QUESTIONS), 0)


def test_whatever_fails_is_repeated_until_it_is_there(opened: Opened) -> None:
    failures: list[Action] = [
        Status(429),
        Status(500),
        Status(503),
        Status(408),
        Status(409),
        Drop(within=True),
        Drop(within=False),
        Raw(b"<html>gateway</html>"),
        Raw(b'{"choices": []}'),
        Raw(b""),
        Hang(),
        Drip(),
    ]

    def behaviour(question: str, attempt: int) -> Action:
        wrong = number(question) < len(failures) and attempt == 0
        return failures[number(question)] if wrong else Say(answer_to(question))

    with fake_server(behaviour) as server:
        model = opened(server.url, timeout=1.0)
        answers = model.generate(ask(*QUESTIONS))
        assert texts(answers) == [answer_to(question) for question in QUESTIONS]
        assert not any(answer.error for answer in answers)
        assert server.requests == len(QUESTIONS) + len(failures)
        assert model.counts.requests == server.requests
        assert model.counts.retries == len(failures)
        assert all(
            server.asked[question] == (2 if number(question) < len(failures) else 1)
            for question in QUESTIONS
        )
        again = opened(server.url).generate(ask(*QUESTIONS))
        assert texts(again) == texts(answers)
        assert server.requests == len(QUESTIONS) + len(failures)


def test_one_that_keeps_failing_has_an_error_and_stops_no_other(opened: Opened) -> None:
    def behaviour(question: str, attempt: int) -> Action:
        return Status(500) if question == "question 3" else Say(answer_to(question))

    with fake_server(behaviour) as server:
        model = opened(server.url, attempts=3)
        answers = model.generate(ask(*QUESTIONS))
        wrong = [answer for answer in answers if answer.error]
        assert [answer.error for answer in wrong] == [
            "the server answered 500: told to fail (3 times)"
        ]
        assert wrong[0] is answers[3]
        assert wrong[0].texts == ("",)
        assert server.requests == len(QUESTIONS) - 1 + 3
        assert model.counts.failed == 1

        server.behaviour = lambda question, attempt: Say(answer_to(question))
        before = server.requests
        again = opened(server.url).generate(ask(*QUESTIONS))
        assert server.requests == before + 1
        assert not any(answer.error for answer in again)
        assert [answer.cached for answer in again].count(False) == 1


def test_the_pause_that_a_server_asks_for_is_kept(opened: Opened) -> None:
    def behaviour(question: str, attempt: int) -> Action:
        return Say("well") if attempt else Status(429, {"Retry-After": "1"})

    with fake_server(behaviour) as server:
        answers = opened(server.url).generate(ask("question 0"))
    assert texts(answers) == ["well"]
    assert server.times[1] - server.times[0] >= 1.0


def test_a_server_that_wants_too_long_a_pause_is_left_alone(opened: Opened) -> None:
    with fake_server(lambda *_: Status(429, {"Retry-After": "3600"})) as server:
        [answer] = opened(server.url).generate(ask("question 0"))
    assert server.requests == 1
    assert "wants 3600 s of rest" in answer.error


def test_pauses_double_up_to_the_longest(opened: Opened) -> None:
    with fake_server(lambda *_: Status(503)) as server:
        opened(server.url, attempts=4, first_wait=0.2, longest_wait=0.5).generate(ask("q 0"))
    gaps = [after - before for before, after in itertools.pairwise(server.times)]
    assert len(gaps) == 3
    assert all(gap >= least for gap, least in zip(gaps, [0.1, 0.2, 0.25], strict=True))


def test_pauses_depend_on_the_seed_and_the_question() -> None:
    def some(seed: int, key: str) -> list[float]:
        return list(itertools.islice(waits(EndpointSettings(first_wait=1), seed, key), 8))

    assert some(1, "a") == some(1, "a")
    assert some(1, "a") != some(2, "a")
    assert some(1, "a") != some(1, "b")
    for pause, longest in zip(some(1, "a"), [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert longest / 2 < pause <= longest


@pytest.mark.parametrize("action", [Hang(), Drip()])
def test_a_server_that_never_ends_is_given_up_in_time(opened: Opened, action: Action) -> None:
    with fake_server(lambda *_: action) as server:
        started = time.monotonic()
        [answer] = opened(server.url, timeout=0.4, attempts=2).generate(ask("question 0"))
        assert time.monotonic() - started < 3
    assert server.requests == 2
    assert answer.error == f"no answer from {server.url} within 0.4 s (2 times)"


def test_no_call_takes_longer_than_its_total_timeout(opened: Opened) -> None:
    with fake_server(delay=0.3) as server:
        started = time.monotonic()
        model = opened(server.url, total_timeout=1.0, concurrency=2)
        answers = model.generate(ask(*QUESTIONS))
        assert time.monotonic() - started < 4
        came = [answer for answer in answers if not answer.error]
        assert 2 <= len(came) <= 8
        assert {answer.error for answer in answers} >= {"", "out of time"}
        rest = opened(server.url).generate(ask(*QUESTIONS))
        assert not any(answer.error for answer in rest)
        assert sum(answer.cached for answer in rest) >= len(came)


def test_a_server_that_is_not_there_is_given_up_for_all(opened: Opened) -> None:
    with fake_server() as server:
        url = server.url
    model = opened(url, attempts=2, give_up_after=3, concurrency=2)
    answers = model.generate(ask(*QUESTIONS))
    assert all(answer.error for answer in answers)
    assert answers[-1].error.startswith("not sent, since the server does not answer")
    assert all(url in answer.error for answer in answers)
    assert model.counts.requests <= 8


def test_no_more_requests_are_under_way_than_allowed(opened: Opened) -> None:
    with fake_server(delay=0.05) as server:
        opened(server.url, concurrency=3).generate(ask(*QUESTIONS))
    assert server.most_at_once == 3


def test_progress_comes_with_every_answer(opened: Opened) -> None:
    steps: list[int] = []
    with fake_server() as server:
        model = opened(server.url)
        model.generate(ask(*QUESTIONS), progress=steps.append)
        assert steps == [1] * len(QUESTIONS)
        model.generate(ask(*QUESTIONS[:4]), progress=steps.append)
    assert sum(steps) == len(QUESTIONS) + 4


def test_it_works_where_an_event_loop_is_running(opened: Opened) -> None:
    async def notebook(url: str) -> list[Answer]:
        return opened(url).generate(ask("question 0"))

    with fake_server() as server:
        assert texts(asyncio.run(notebook(server.url))) == ["answer to question 0"]


# several texts


def test_each_of_n_texts_is_asked_with_a_seed_of_its_own(opened: Opened) -> None:
    with fake_server() as server:
        [answer] = opened(server.url).generate(ask("question 0"), n=3, seed=5)
        assert len(answer.texts) == 3
        assert sorted(body["seed"] for body in server.bodies) == [5, 6, 7]
        opened(server.url).generate(ask("question 0"), n=4, seed=5)
        assert server.requests == 4


def test_n_texts_without_temperature_are_one(opened: Opened) -> None:
    with fake_server() as server:
        [answer] = opened(server.url).generate(ask("question 0"), n=3, temperature=0)
    assert server.requests == 1
    assert len(answer.texts) == 3
    assert answer.usage.tokens == 15


def test_the_same_question_twice_is_sent_once(opened: Opened) -> None:
    with fake_server() as server:
        answers = opened(server.url).generate(ask("question 0", "question 1", "question 0"))
    assert server.requests == 2
    assert answers[0] == answers[2]


def test_good_texts_stay_when_another_of_the_n_fails(opened: Opened) -> None:
    with fake_server() as server:
        model = opened(server.url, budget=Budget(max_requests=2), concurrency=1)
        [answer] = model.generate(ask("question 0"), n=3)
    assert answer.texts == ("answer to question 0", "answer to question 0", "")
    assert answer.error == f"1 of 3: {BUDGET_REACHED}"


# answers under a schema


def test_valid_json_is_parsed(opened: Opened) -> None:
    with fake_server(lambda *_: Say('```json\n{"grade": 2}\n```')) as server:
        [answer] = opened(server.url).generate(ask("question 0"), schema=GRADES)
    assert answer.parsed == ({"grade": 2},)
    sent = server.bodies[0]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"] == {"name": "answer", "schema": GRADES, "strict": True}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"grade": 7}', "the answer.grade is 7; it must be one of 0, 1, 2"),
        ('{"grade": 1', "the answer cannot be read as JSON"),
        ("two, I think", "there is no JSON in it"),
        ("", "the answer cannot be read as JSON"),
        ('{"grade": 1, "why": "x"}', 'the answer has "why", which must not be there'),
    ],
)
def test_a_model_is_shown_its_bad_answer_once(opened: Opened, bad: str, said: str) -> None:
    with fake_server(lambda _, attempt: Say('{"grade": 1}' if attempt else bad)) as server:
        model = opened(server.url)
        [answer] = model.generate(ask("question 0"), schema=GRADES)
        assert answer.parsed == ({"grade": 1},)
        assert answer.error == ""
        assert answer.usage.tokens == 30
        question, own, wish = server.bodies[1]["messages"]
        assert question["content"] == "question 0"
        assert own == {"role": "assistant", "content": bad}
        assert said in wish["content"]
        assert (model.counts.repairs, model.counts.invalid) == (1, 0)
        opened(server.url).generate(ask("question 0"), schema=GRADES)
        assert server.requests == 2


def test_what_stays_invalid_is_counted_and_not_paid_again(opened: Opened) -> None:
    def behaviour(question: str, attempt: int) -> Action:
        return Say('{"grade": 9}' if question == "question 1" else '{"grade": 0}')

    with fake_server(behaviour) as server:
        model = opened(server.url)
        answers = model.generate(ask("question 0", "question 1", "question 2"), schema=GRADES)
        assert [answer.parsed for answer in answers] == [({"grade": 0},), (None,), ({"grade": 0},)]
        assert answers[1].error == (
            "invalid also after a repair: the answer.grade is 9; it must be one of 0, 1, 2"
        )
        assert answers[1].texts == ('{"grade": 9}',)
        assert (model.counts.invalid, server.requests) == (1, 4)
        again = opened(server.url).generate(ask("question 1"), schema=GRADES)
        assert again[0].error == answers[1].error
        assert again[0].cached
        assert server.requests == 4
        opened(server.url).generate(ask("question 1"), schema=GRADES, seed=1)
        assert server.requests == 6


def test_an_answer_that_was_cut_off_says_so(opened: Opened) -> None:
    with fake_server(lambda *_: Say('{"grade"', finish="length")) as server:
        [answer] = opened(server.url).generate(ask("question 0"), schema=GRADES)
    assert "cut off at the longest length" in answer.error


@pytest.mark.parametrize("code", [400, 422])
def test_a_server_without_structured_output_gets_the_schema_in_words(
    opened: Opened, code: int
) -> None:
    with fake_server() as server:

        def behaviour(question: str, attempt: int) -> Action:
            refused = "response_format" in server.bodies[-1]
            return Status(code, error={"message": "no"}) if refused else Say('{"grade": 2}')

        server.behaviour = behaviour
        model = opened(server.url, concurrency=1)
        answers = model.generate(ask(*QUESTIONS[:5]), schema=GRADES)
        assert [answer.parsed for answer in answers] == [({"grade": 2},)] * 5
        # one refusal for the whole endpoint
        assert server.requests == 6
        assert model.left_out == {"response_format"}
        assert "JSON schema" in server.bodies[-1]["messages"][-1]["content"]
        assert json.dumps(GRADES) in server.bodies[-1]["messages"][-1]["content"]


def test_a_newer_server_gets_the_newer_name_of_max_tokens(opened: Opened) -> None:
    def behaviour(question: str, attempt: int) -> Action:
        message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return Say("well") if attempt else Status(400, error={"message": message})

    with fake_server(behaviour) as server:
        [answer] = opened(server.url).generate(ask("question 0"), max_tokens=9)
    assert answer.texts == ("well",)
    assert server.bodies[1]["max_completion_tokens"] == 9
    assert "max_tokens" not in server.bodies[1]


def test_a_refusal_with_another_reason_is_an_error_of_its_question(opened: Opened) -> None:
    def behaviour(question: str, attempt: int) -> Action:
        too_long = Status(400, error={"message": "the context is too long"})
        return too_long if question.startswith("question 0") else Say('{"grade": 2}')

    with fake_server(behaviour) as server:
        model = opened(server.url, concurrency=1)
        answers = model.generate(ask("question 0", "question 1"), schema=GRADES)
    assert answers[0].error == "the server answered 400: the context is too long"
    need_answers(answers, "questions")  # what will never be answered is worth no second run
    assert answers[1].parsed == ({"grade": 2},)
    assert model.left_out == set()
    assert server.requests == 3


def test_an_empty_answer_is_an_error(opened: Opened) -> None:
    with fake_server(lambda *_: Say(" ")) as server:
        [answer] = opened(server.url).generate(ask("question 0"))
    assert answer.error == "invalid: the answer is empty"
    assert server.requests == 1


def test_answers_that_may_still_come_are_missing(opened: Opened) -> None:
    with fake_server(lambda question, _: Say("fine" if number(question) else "")) as server:
        model = opened(server.url, budget=Budget(max_requests=2), concurrency=1)
        answers = model.generate(ask("question 0", "question 1", "question 2"))
        assert [answer.missing for answer in answers] == [0, 0, 1]
        with pytest.raises(ModelError, match=r"1 of 3 queries got no answer \(budget reached"):
            need_answers(answers, "queries")
    gone = opened(server.url, attempts=1).generate(ask("question 3"), n=2)
    assert gone[0].missing == 2


def test_a_repair_that_may_still_come_is_missing_too(opened: Opened) -> None:
    with fake_server(lambda *_: Say("no idea")) as server:
        model = opened(server.url, budget=Budget(max_requests=1))
        [answer] = model.generate(ask("question 0"), schema=GRADES)
        assert (answer.texts, answer.missing) == (("no idea",), 1)
        [answer] = opened(server.url).generate(ask("question 0"), schema=GRADES)
    assert answer.missing == 0  # it came, and is as bad as the first
    assert answer.error.startswith("invalid also after a repair")


# budget


@pytest.mark.parametrize("within", [True, False])
def test_a_connection_that_breaks_may_have_been_paid(opened: Opened, within: bool) -> None:
    with fake_server(lambda *_: Drop(within)) as server:
        model = opened(server.url, budget=Budget(max_tokens=300), attempts=6, concurrency=1)
        answers = model.generate(ask(*QUESTIONS[:4]), max_tokens=130)
    assert server.requests == 2
    assert model.meter.spent.tokens > 260
    assert all(BUDGET_REACHED in answer.error for answer in answers)


def test_a_connection_that_was_never_made_costs_nothing(opened: Opened) -> None:
    with fake_server() as server:
        pass
    model = opened(server.url, budget=Budget(max_tokens=300), attempts=6, concurrency=1)
    model.generate(ask(*QUESTIONS[:4]), max_tokens=200)
    assert model.counts.requests == 24
    assert model.meter.spent.tokens == 0


def test_a_budget_of_requests_is_kept_to_the_request(opened: Opened) -> None:
    def behaviour(question: str, attempt: int) -> Action:
        return Status(500) if number(question) % 3 == 0 and not attempt else Say("well")

    with fake_server(behaviour) as server:
        model = opened(server.url, budget=Budget(max_requests=10), concurrency=4)
        answers = model.generate(ask(*QUESTIONS))
        assert server.requests == 10
        came = sum(not answer.error for answer in answers)
        assert all(BUDGET_REACHED in answer.error for answer in answers if answer.error)
        assert server.delivered == came
        model.generate(ask("another question 99"))
        assert server.requests == 10
        rest = opened(server.url).generate(ask(*QUESTIONS))
        assert not any(answer.error for answer in rest)
        assert sum(answer.cached for answer in rest) == came


def test_a_budget_of_tokens_is_never_overdrawn(opened: Opened) -> None:
    # a question is guessed as 14 tokens at most; an answer takes 10 + 5 in the end
    with fake_server(delay=0.02) as server:
        model = opened(server.url, budget=Budget(max_tokens=100), concurrency=8)
        answers = model.generate(ask(*QUESTIONS), max_tokens=5)
    assert model.meter.spent.tokens <= 100
    assert server.requests == sum(not answer.error for answer in answers) == 6
    assert {answer.error for answer in answers} == {"", BUDGET_REACHED}


def test_a_budget_of_money_is_never_overdrawn(opened: Opened) -> None:
    with fake_server() as server:
        budget = Budget(max_cost=0.001, prompt_price=10, completion_price=20)
        model = opened(server.url, budget=budget)
        model.generate(ask(*QUESTIONS), max_tokens=5)
    # an answer costs (10 x 10 + 5 x 20) / a million = 0.0002, and is guessed as 0.00024 at most
    assert server.requests == 4
    assert model.meter.cost == pytest.approx(0.0008)


def test_what_the_cache_has_costs_no_budget(opened: Opened) -> None:
    with fake_server() as server:
        opened(server.url).generate(ask(*QUESTIONS))
        model = opened(server.url, budget=Budget(max_requests=0))
        assert not any(answer.error for answer in model.generate(ask(*QUESTIONS)))


def test_a_limit_of_money_needs_prices() -> None:
    with pytest.raises(SettingsError, match="needs the prices"):
        Budget(max_cost=1.0)


# the key


def test_a_wrong_key_stops_everything_and_is_not_shown(opened: Opened) -> None:
    wrong = Status(401, error={"message": f"Incorrect API key: {KEY}"})
    with fake_server(lambda *_: wrong) as server:
        model = opened(server.url, concurrency=1)
        answers = model.generate(ask(*QUESTIONS))
    assert server.requests == 1
    assert answers[0].error == "the server answered 401: Incorrect API key: ***"
    assert answers[1].error == f"not sent, since {answers[0].error}"


def test_the_key_is_in_no_file_and_no_manifest(opened: Opened, tmp_path: Path) -> None:
    with fake_server() as server:
        model = opened(server.url)
        model.generate(ask(*QUESTIONS))
        entry = model.to_manifest("rewriter", [PromptVersion("rewrite", 1, "abc")])
    assert KEY not in json.dumps(entry) + repr(model)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert all(KEY.encode() not in file.read_bytes() for file in files)


def test_a_manifest_tells_models_and_prompts_apart(opened: Opened) -> None:
    model = opened("http://127.0.0.1:1/v1")
    entry = model.to_manifest("judge")
    assert entry["role"] == "judge"
    assert entry["id"] == "fake"
    assert entry["fingerprint"].startswith("sha256:")
    prompts = [PromptVersion("judge", version, "abc") for version in (1, 2)]
    found = {model.to_manifest("judge", [prompt])["fingerprint"] for prompt in prompts}
    assert len(found | {entry["fingerprint"]}) == 3


def test_gateways_behind_one_host_share_no_answers() -> None:
    hosts = (
        "http://gw:8000/team-a/v1",
        "http://gw:8000/team-b/openai/v1",
        "http://gw/v1",
        "https://gw:8000/v1",
        "http://gw:80/v1/",
    )
    found = [open_endpoint("m", base_url=host).identity["family"] for host in hosts]
    assert len(set(found)) == 4
    assert found[2] == found[4]  # 80 is what http means


@pytest.mark.parametrize(
    "address",
    ["https://user:secret@example.org/v1", "https://example.org/v1?key=secret", "ftp://x", "x:y"],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_endpoint("m", base_url=address)
    assert "secret" not in str(caught.value)


def test_the_vendor_is_not_asked_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not set"):
        open_endpoint("m")


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch, opened: Opened) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with fake_server() as server:
        assert texts(opened(server.url).generate(ask("question 0"))) == ["answer to question 0"]


def test_odd_characters_go_there_and_back(opened: Opened) -> None:
    with fake_server(lambda *_: Say("half \ud800 of a pair, \x00, 🥾")) as server:
        for _ in range(2):
            [answer] = opened(server.url).generate(ask("lone \udfff surrogate '); DROP TABLE x;"))
            assert answer.texts == ("half ? of a pair, \x00, 🥾",)
    assert server.requests == 1
