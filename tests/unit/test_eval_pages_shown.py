"""Pages about evaluation as models: what blocks, what is drawn, and data that is meant to do harm."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.console.charts.intervals import draw_interval
from watchkeeper.console.charts.shares import LARGE, SMALL, SharePoint, draw_shares
from watchkeeper.console.pages.eval_patterns import eval_patterns
from watchkeeper.console.pages.evals import Asked, block_lines
from watchkeeper.console.pages.runs import case_href, pieces
from watchkeeper.console.pages.suite import gate_in_words
from watchkeeper.console.render import environment
from watchkeeper.console.shell import Shell
from watchkeeper.console.static_files import PageFiles
from watchkeeper.evals.decision import Comparison
from watchkeeper.evals.suite import Gate
from watchkeeper.releases.rules import Rules

RULES = {"production": Rules(gates=("answers", "safety")), "staging": Rules()}
LATEST = "wk1-" + "a" * 26
HOSTILE = "<script>alert(1)</script>\"'&"
shares = st.floats(0, 1)
small = st.floats(-2, 2)


def _numbers(svg: str) -> list[float]:
    written = re.findall(r' (?:x|y|x1|x2|y1|y2|cx|cy|r|width|height)="([^"]*?)%?"', svg)
    return [float(one) for one in written]


def test_what_an_environment_asks_for_is_said_with_the_command_that_gets_it() -> None:
    lines = block_lines("support", Asked(latest=LATEST), RULES, {"answers"})
    said = ["".join(piece.text for piece in line.says) for line in lines]
    assert f"watchkeeper eval run support/answers --release {LATEST[:12]} --gate" in said[0]
    assert "another program must report it" in said[1] and "eval run" not in said[1]
    assert {line.shape for line in lines} == {"warning"}


def test_a_feature_without_a_release_says_so_once() -> None:
    lines = block_lines("support", Asked(), RULES, {"answers"})
    assert len(lines) == 1 and "no release yet" in lines[0].says[0].text
    assert block_lines("support", Asked(), {"staging": Rules()}, {"answers"}) == ()


@given(points=st.lists(st.tuples(shares, shares, shares), max_size=40), height=st.sampled_from([SMALL, LARGE]))
def test_runs_are_drawn_within_their_chart(points: list[tuple[float, float, float]], height: int) -> None:
    drawn = draw_shares(
        [SharePoint(share=b, lower=a, upper=c, change="x") for a, b, c in (sorted(one) for one in points)],
        summary="s",
        height=height,
    )
    numbers = _numbers(str(drawn))
    assert all(math.isfinite(one) and -4 <= one <= max(100, height) for one in numbers)
    assert str(drawn).count("<circle") == len(points)


@given(bounds=st.lists(small, min_size=3, max_size=3), margin=st.floats(0, 1), is_relative=st.booleans())
def test_a_difference_is_drawn_within_its_line_and_right_is_better(
    bounds: list[float], margin: float, is_relative: bool
) -> None:
    low, value, high = sorted(bounds)
    found = Comparison(
        metric="m", candidate=0.5, baseline=0.5, difference=value, lower=low, upper=high, margin=margin, p_worse=0.5,
        p_better=0.5, verdict="worse", method="m", cases=1, clusters=1, is_relative=is_relative,
    )  # fmt: skip
    svg = str(draw_interval(found))
    assert all(math.isfinite(one) and 0 <= one <= 100.01 for one in _numbers(svg))
    centre = float(re.findall(r'cx="([\d.]+)%"', svg)[0])
    if abs(value) > 0.01:
        assert (centre > 50) == ((value > 0) != is_relative)


def test_the_patterns_hold_hostile_data_harmless_and_small() -> None:
    page = eval_patterns(hostile=HOSTILE, long="word " * 400)
    shell = Shell(title="t", here="", user="", theme="auto", token="", url="/", version="1")
    text = environment(PageFiles()).get_template("patterns_evals.html").render(page=page, shell=shell)
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert len(text.encode()) < 100_000
    assert "characters do not fit on this page" in text


@pytest.mark.parametrize("case", ["a/b", "../..", "%2e", "ä 中", "?x#y", "c" * 10_000])
def test_a_case_of_any_name_has_an_address(case: str) -> None:
    href = case_href("run-1", case)
    assert href.isascii() and not set("?# ") & set(href) and href.startswith("/evals/runs/run-1/cases/")


def test_commands_in_sentences_stand_apart() -> None:
    assert [(one.text, one.is_code) for one in pieces("Go on: `eval resume`.")] == [
        ("Go on: ", False),
        ("eval resume", True),
        (".", False),
    ]
    assert pieces("") == ()


def test_a_gate_is_said_in_sentences() -> None:
    said = gate_in_words(Gate(critical=("polite",), min_pass=0.9, latency=0.2, in_doubt="pass"))
    assert said[0] == "Not worse than the baseline by 5 points or more: the share of cases that pass."
    assert "No case fails polite." in said and "At least 90% of the cases pass." in said
    assert "Answers take no more than 20% longer." in said and said[-1].endswith("the release passes.")
