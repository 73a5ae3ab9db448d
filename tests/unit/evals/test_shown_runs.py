"""What the command line shows of a run cannot steer the terminal it is shown on."""

from typing import Any

import pytest

from watchkeeper.cli.eval import _outcome
from watchkeeper.cli.eval_show import conclusion

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b2J"


def is_harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_names_of_cases_in_a_conclusion_do_not_steer_the_terminal() -> None:
    run: dict[str, Any] = {"id": "run-1", "decision": {"result": "regression", "reasons": [f"Cases fail: {HOSTILE}."]}}
    assert "red" in conclusion(run) and is_harmless(conclusion(run))


def test_neither_do_answers_and_marks(capsys: pytest.CaptureFixture[str]) -> None:
    mark = {"scorer": HOSTILE, "status": "failed", "score": 0.0, "reason": HOSTILE}
    _outcome({"case": HOSTILE, "arm": HOSTILE, "status": "failed", "answer": {"text": HOSTILE}, "marks": [mark]})
    shown = capsys.readouterr().out
    assert shown.count("red") == 5 and is_harmless(shown)
