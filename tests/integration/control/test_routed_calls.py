"""How the command line tells why a call went where it went, with a keeper and without one."""

import shutil
from collections.abc import Iterator

import pytest
from tests.integration.control.commands import Command, Keeper
from tests.integration.control.routed import routed_calls


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    found = Keeper(tmp_path_factory.mktemp("r"), routed_calls)
    found.start()
    assert found.is_ready.wait(20)
    yield found
    found.stop()
    shutil.rmtree(found.folder.root)


def test_the_whole_way_of_a_call_is_told_in_words(wk: Command, keeper: Keeper) -> None:
    assert wk("route", "why", keeper.calls["routed"].id, data=keeper.folder.root) == 0
    for text in (
        "price: the cheapest target for this request first",
        "large, because rule 2 of the route holds for this request",
        "3 of the oldest turns were left out",
        "1  openai/gpt-4o-mini  $0.00045 expected, tried at attempt 1 and 2",
        "2  openai/gpt-4o       $0.0075 expected, tried at attempt 3",
        "3  local/smollm2       price not known, not tried: its breaker is open for 12.0 s more",
        "attempt 1: openai/gpt-4o-mini",
        "failed after 40 ms, HTTP 429, rate limit (rate_limited): slow down",
        "the fault drill-1 was injected on purpose",
        "so the same target was tried again after 250 ms",
        "attempt 2 (retry of the same target, after a wait of 250 ms): openai/gpt-4o-mini",
        "so the next target was tried: too many calls to it are being retried",
        "attempt 3 (fallback to another target): openai/gpt-4o",
        "the client got the answer of openai/gpt-4o",
    ):
        assert text in wk.out


def test_a_call_without_a_choice_says_that_there_was_none(wk: Command, keeper: Keeper) -> None:
    assert wk("route", "why", keeper.calls["plain"].id, data=keeper.folder.root) == 0
    assert "The route had one target, and it was asked" in wk.out
    assert "answered in 419 ms" in wk.out
    assert "considered" not in wk.out


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("cached", ["the client got an answer from the cache, 61 s old, $0.00021 saved"]),
        ("stated", ["a/b  not tried: it is down", "the client got the text that the route states"]),
        ("refused", ["the client got an error, and no provider was asked: The key is not known."]),
    ],
)
def test_a_call_that_no_provider_answered_says_what_the_client_got(
    wk: Command, keeper: Keeper, kind: str, texts: list[str]
) -> None:
    assert wk("route", "why", keeper.calls[kind].id, data=keeper.folder.root) == 0
    for text in texts:
        assert text in wk.out
    assert "it was asked" not in wk.out


def test_the_way_of_a_call_as_json_has_its_candidates_attempts_and_decisions(wk: Command, keeper: Keeper) -> None:
    found = wk.json("route", "why", keeper.calls["routed"].id, data=keeper.folder.root)
    assert isinstance(found, dict)
    assert found["routing"]["candidates"][2] == {
        "target": "local/smollm2", "score": None, "excluded": "its breaker is open for 12.0 s more",
    }  # fmt: skip
    assert [decision["then"] for decision in found["routing"]["decisions"]] == ["retry", "fallback"]
    assert [attempt["kind"] for attempt in found["attempts"]] == ["first", "retry", "fallback"]
    plain = wk.json("route", "why", keeper.calls["plain"].id, data=keeper.folder.root)
    assert isinstance(plain, dict)
    assert plain["routing"] is None


@pytest.mark.parametrize("call_id", ["nonsense", "0" * 26])
def test_the_way_of_no_call_is_not_found(wk: Command, keeper: Keeper, call_id: str) -> None:
    assert wk("route", "why", call_id, data=keeper.folder.root) == 3
    assert wk.err.startswith("watchkeeper: ")
    assert call_id in wk.err
    assert wk.out == ""


def test_a_call_is_shown_with_its_attempts_its_cache_and_its_routing(wk: Command, keeper: Keeper) -> None:
    assert wk("call", keeper.calls["routed"].id, data=keeper.folder.root) == 0
    for text in (
        "rate_limit (rate_limited): slow down",
        "retry of the same target, waited 250 ms before",
        "1000 tokens in and 100 out (measured), $0.0035 (measured)",
        "the fault drill-1 was injected on purpose",
        "left out    2 events of the stream",
        "after attempt 2 (overloaded) the next target was tried",
        "attempt 3, input uncached: 1000 x $2.5 per million = $0.0025",
    ):
        assert text in wk.out
    assert wk("call", keeper.calls["cached"].id, data=keeper.folder.root) == 0
    assert "served      an answer from the cache, 61 s old, $0.00021 saved" in wk.out


def test_a_response_that_is_not_what_the_client_got_is_shown_with_a_note(wk: Command, keeper: Keeper) -> None:
    assert wk("call", keeper.calls["stated"].id, data=keeper.folder.root) == 0
    assert "The client got the text that the route states" in wk.err
    assert wk("call", keeper.calls["plain"].id, data=keeper.folder.root) == 0
    assert wk.err == ""


def test_a_call_as_json_says_where_its_answer_came_from(wk: Command, keeper: Keeper) -> None:
    found = wk.json("call", keeper.calls["cached"].id, data=keeper.folder.root)
    assert isinstance(found, dict)
    assert (found["served_from"], found["cached"]) == ("cache", {"age_s": 61.0, "saved_usd": "0.00021"})
    found = wk.json("call", keeper.calls["routed"].id, data=keeper.folder.root)
    assert isinstance(found, dict)
    assert (found["faults"], found["skipped_events"], found["cached"]) == (["drill-1"], 2, None)
    attempt = found["attempts"][2]
    assert (attempt["usage"]["input_tokens"], attempt["usage"]["output_text"]) == (1000, 100)
    assert attempt["cost"] == {"amount_usd": "0.0035", "status": "measured"}
    assert found["attempts"][0]["usage"]["input_tokens"] is None
    assert {line["attempt"] for line in found["cost"]["lines"]} == {3}


@pytest.mark.parametrize(
    ("option", "kinds"),
    [
        (("--served-from", "cache"), ["cached"]),
        (("--served-from", "upstream"), ["routed", "plain"]),
        (("--fault", "drill-1"), ["routed"]),
        (("--fault", "drill"), []),
    ],
)
def test_calls_are_narrowed_by_source_and_by_fault(
    wk: Command, keeper: Keeper, option: tuple[str, str], kinds: list[str]
) -> None:
    assert wk("calls", *option, data=keeper.folder.root) == 0
    assert [line.split("\t")[1] for line in wk.out.splitlines()] == [keeper.calls[kind].id for kind in kinds]


def test_a_source_that_is_none_is_refused_with_those_that_there_are(wk: Command, keeper: Keeper) -> None:
    assert wk("calls", "--served-from", "kettle", data=keeper.folder.root) != 0
    assert "upstream, cache, stale_cache, set_answer" in wk.err
