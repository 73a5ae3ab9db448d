"""The form in which a release is written: messages, variables, parameters, a preview, and what is wrong beside each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from watchkeeper.console import figures
from watchkeeper.console.drafts import KEPT, TYPES, Draft, Problems
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.playground import Answer
from watchkeeper.console.pages.recipe import MessageView
from watchkeeper.console.pages.release_diff import RecipeDiff
from watchkeeper.releases.recipe import Recipe, Role
from watchkeeper.store.releases import ReleaseRow
from watchkeeper.store.rows import CallRow

ROLES: tuple[str, ...] = get_args(Role)
LABEL_LENGTH = 70


@dataclass(frozen=True, slots=True)
class MessageField:
    """One message."""

    place: int
    role: str
    content: str
    rows: int
    """Lines that the field shows at once."""
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableField:
    """One variable."""

    place: int
    was: str
    name: str
    type: str
    is_optional: bool
    default: str
    problem: str


@dataclass(frozen=True, slots=True)
class ParameterField:
    """One parameter."""

    place: int
    name: str
    value: str
    problem: str


@dataclass(frozen=True, slots=True)
class ValueField:
    """One variable of the preview."""

    name: str
    value: str
    hint: str
    is_long: bool
    problem: str


@dataclass(frozen=True, slots=True)
class CallChoice:
    """A recent call whose variables may be taken."""

    id: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Somebody else has saved meanwhile."""

    head: str
    head_href: str
    by: str
    at: str
    message: str
    theirs: RecipeDiff
    mine: RecipeDiff
    both: tuple[str, ...]
    """Places that both have changed, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseForm:
    """The page."""

    id: str
    short: str
    href: str
    feature: str
    feature_href: str
    parent: str
    older: str
    """Said where the release is not the latest one; empty where it is."""
    model: str
    model_problem: str
    roles: tuple[str, ...]
    types: tuple[str, ...]
    messages: tuple[MessageField, ...]
    variables: tuple[VariableField, ...]
    parameters: tuple[ParameterField, ...]
    kept: tuple[str, ...]
    """Parts of the recipe that this form does not show, and that stay as they are."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    message: str
    message_problem: str
    environments: tuple[str, ...]
    """In which a review may be asked for."""
    values: tuple[ValueField, ...]
    calls: tuple[CallChoice, ...]
    call_problem: str
    preview: tuple[MessageView, ...]
    """The messages, rendered; empty before."""
    preview_problem: str
    answers: tuple[Answer, ...]
    """What the model says to the preview, where it was asked."""
    may_ask: bool
    changed: RecipeDiff | None
    """What saving would change; None before it has been looked at."""
    conflict: Conflict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What looking at a draft has come to."""

    problems: Problems
    notes: tuple[str, ...] = ()
    value_problems: Problems
    preview: tuple[MessageView, ...] = ()
    preview_problem: str = ""
    changed: RecipeDiff | None = None
    conflict: Conflict | None = None
    message_problem: str = ""
    call_problem: str = ""
    answers: tuple[Answer, ...] = ()


NOT_LOOKED = Looked(problems={}, value_problems={})


def release_form(
    row: ReleaseRow,
    draft: Draft,
    looked: Looked,
    *,
    head: str,
    calls: Sequence[CallRow] = (),
    environments: Sequence[str] = (),
    may_ask: bool = False,
) -> ReleaseForm:
    """Build the page.

    Args:
        row: The release that is edited.
        draft: What stands in the form.
        looked: What is wrong with it, and how it renders.
        head: The feature's latest release.
        calls: Recent calls of the feature, for their variables.
        environments: In which a review may be asked for.
        may_ask: Whether the model may be asked, at a cost.
    """
    wrong = looked.problems
    shown = {"messages", "variables", "parameters", "model"}
    whole = [text for field, text in wrong.items() if field.partition(".")[0] not in shown]
    is_older = row.id != head and not looked.conflict
    return ReleaseForm(
        id=row.id,
        short=short(row.id),
        href=release_href(row.id),
        feature=row.feature,
        feature_href=feature_href(row.feature),
        parent=draft.parent,
        older=f"The latest release is {short(head)}. Saving puts this text in its place." if is_older else "",
        model=draft.model,
        model_problem=wrong.get("model", ""),
        roles=ROLES,
        types=TYPES,
        messages=tuple(
            MessageField(
                place, one.role, one.content, min(16, max(3, one.content.count("\n") + len(one.content) // 90 + 1)),
                wrong.get(f"messages.{place}", ""),
            )
            for place, one in enumerate(draft.messages)
        ),
        variables=tuple(
            VariableField(
                place=place, was=one.was, name=one.name, type=one.type, is_optional=one.is_optional,
                default=one.default, problem=wrong.get(f"variables.{place}", ""),
            )
            for place, one in enumerate(draft.variables)
        ),
        parameters=tuple(
            ParameterField(place, one.name, one.value, wrong.get(f"parameters.{place}", ""))
            for place, one in enumerate(draft.parameters)
        ),
        kept=kept_parts(row.recipe),
        problems=tuple(whole),
        notes=looked.notes,
        message=draft.message,
        message_problem=looked.message_problem,
        environments=tuple(environments),
        values=_values(draft, looked),
        calls=tuple(CallChoice(one.id, _label(one), one.id == draft.call) for one in calls),
        call_problem=looked.call_problem,
        preview=looked.preview,
        preview_problem=looked.preview_problem,
        answers=looked.answers,
        may_ask=may_ask,
        changed=looked.changed,
        conflict=looked.conflict,
    )  # fmt: skip


def kept_parts(recipe: Recipe) -> tuple[str, ...]:
    """Name the parts of a recipe that are written in a folder only."""
    parts = {
        "tools": recipe.tools,
        "shared blocks": recipe.blocks,
        "output": recipe.output,
        "retrieval": recipe.retrieval,
        "guard policy": recipe.guards,
        "limits": recipe.limits,
    }
    return tuple(name for name, part in parts.items() if part)


def with_conflict(looked: Looked, conflict: Conflict) -> Looked:
    """Add that somebody else has saved meanwhile."""
    return replace(looked, conflict=conflict)


def _values(draft: Draft, looked: Looked) -> tuple[ValueField, ...]:
    fields = []
    for one in draft.variables:
        if one.name:
            value = draft.values.get(one.name, "")
            kind = "JSON" if one.type == KEPT else "text" if one.type == "string" else one.type
            hint = f"{kind}, default {one.default}" if one.is_optional else kind
            is_long = len(value) > LABEL_LENGTH or "\n" in value
            fields.append(ValueField(one.name, value, hint, is_long, looked.value_problems.get(one.name, "")))
    return tuple(fields)


def _label(row: CallRow) -> str:
    preview = " ".join(row.input_preview[: 2 * LABEL_LENGTH].split())[:LABEL_LENGTH]
    return f"{figures.moment(figures.iso(row.started_at), 'row')} {preview or row.id}"
