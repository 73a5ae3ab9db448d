"""What judges are shown of a case and its answer: text, and nothing about who wrote it."""

import json
from typing import Any

from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.scorers.marking import Undecided
from watchkeeper.evals.scoring import Question


def as_text(value: Any) -> str:
    """Write a value as a judge reads it: text as it is, nothing for None, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def said(answer: Answer) -> str:
    """Return all that an answer says: its text, else the provider's word of a refusal; then the tools it calls."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return "\n".join(part for part in (answer.text or answer.refusal, *calls) if part)


def asked(question: Question, variable: str) -> str:
    """Return what was asked: the variable of the case that a scorer names for it, else the last message of the user.

    Raises:
        Undecided: the case has no such variable.
    """
    if not variable:
        return question.prompt
    if variable not in question.case.variables:
        raise Undecided(
            f"the case has no variable `{variable}`, which `options.question` names; "
            "give the case one, or leave the option out"
        )
    return as_text(question.case.variables[variable])


def needed_question(question: Question, variable: str) -> str:
    """As `asked`, where nothing can be judged without it. Raises Undecided."""
    found = asked(question, variable)
    if not found.strip():
        raise Undecided("the case asks nothing, and without a question there is nothing to judge by; give it a prompt")
    return found


def needed_reference(question: Question) -> str:
    """Return the reference. Raises Undecided where there is none."""
    found = as_text(question.value)
    if not found.strip():
        raise Undecided("the case has no reference to judge by; give it a `reference`, or the scorer a `value`")
    return found


def needed_contexts(question: Question) -> list[str]:
    """Return the documents that hold something. Raises Undecided where there are none."""
    found = [text for text in question.contexts if text.strip()]
    if not found:
        raise Undecided("there are no documents: none were found for the call, and the case has no `contexts`")
    return found
