"""Assertions on what an agent did, read from the spans of a call: tools, commands, searches, in order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.evals.promptfoo.assertions.judged import goal_success as judged_goal
from watchkeeper.evals.promptfoo.assertions.subject import (
    Finding,
    Subject,
    Undecided,
    plain_verdict,
    require,
    verdict,
)
from watchkeeper.evals.promptfoo.assertions.traces import Span, matches, spans_of
from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.javascript import UNDEFINED
from watchkeeper.evals.promptfoo.values import number, parse_json, same, trim

STEPS_SHOWN = 24
TOOL_KEYS = (
    "tool.name", "tool_name", "tool", "function.name", "function_name", "ai.toolCall.name", "gen_ai.tool.name",
    "agent.tool_name", "agent.tool", "agent.toolName", "codex.mcp.tool",
)  # fmt: skip
ARGUMENT_KEYS = (
    *(
        f"{prefix}{end}"
        for prefix in ("tool", "function")
        for end in (".args", ".arguments", ".input", "_args", "_arguments")
    ),
    "tool_input",
    *(
        f"{prefix}{end}"
        for prefix in ("ai.toolCall", "gen_ai.tool", "agent.tool", "codex.mcp")
        for end in (".args", ".arguments", ".input")
    ),
    "gen_ai.tool.call.args", "gen_ai.tool.call.arguments", "args", "arguments", "input",
)  # fmt: skip
COMMAND_KEYS = ("codex.command", "command", "command.name", "command_name")
SEARCH_KEYS = ("codex.search.query", "search.query", "search_query")
COMMAND_TOOLS = frozenset(("exec_command", "local_shell", "shell"))
_TOOL_KEY = re.compile(r"tool.?name|function.?name", re.IGNORECASE)
_TOOL_PART = re.compile(r"(?:^|[._])tool(?:$|[._])", re.IGNORECASE)
_ARGUMENT_PART = re.compile(r"(?:^|[._])(?:arguments|args|input)(?:$|[._])", re.IGNORECASE)
_SEARCHING = re.compile(r"(?:^|[\s._:/-])(?:search|find|lookup|retriev(?:e|al))(?:$|[\s._:/-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that an agent did."""

    kind: str
    """`tool`, `command`, `search`, `reasoning`, `message`, or `span` for all else."""
    name: str
    aliases: frozenset[str]
    arguments: Any = UNDEFINED


def steps_of(subject: Subject) -> list[Step]:
    """Return what was done, in the order in which it began. Raises Undecided where there is no trace."""
    spans = sorted(
        spans_of(subject),
        key=lambda span: (number(span.get("startTime")), number(span.get("endTime", span.get("startTime")))),
    )
    return [_step(span) for span in spans]


def _step(span: Span) -> Step:
    title = str(span.get("name", ""))
    attributes: Mapping[str, Any] = span.get("attributes") or {}
    tool = _tool(title, attributes)
    arguments = _arguments(attributes)
    command = _command(title, attributes, tool, arguments)
    query = _query(title, attributes)
    if command and (not tool or tool.lower() in COMMAND_TOOLS):
        names = {title, command, command.split()[0], *([tool] if tool else [])}
        return Step(kind="command", name=command, aliases=frozenset(names), arguments=arguments if tool else UNDEFINED)
    if tool:
        return Step(kind="tool", name=tool, aliases=frozenset((title, tool)), arguments=arguments)
    if query:
        return Step(kind="search", name=query, aliases=frozenset((title, query)))
    if attributes.get("codex.item.type") == "reasoning" or re.match(r"reasoning(?:[_\s]|$)", title, re.IGNORECASE):
        return Step(kind="reasoning", name=title, aliases=frozenset((title, "reasoning")))
    if attributes.get("codex.item.type") == "agent_message" or title in ("agent response", "send input"):
        return Step(kind="message", name=title, aliases=frozenset((title, "message")))
    return Step(kind="span", name=title, aliases=frozenset((title,)))


def _first_text(attributes: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((trim(value) for key in keys if isinstance(value := attributes.get(key), str) and trim(value)), "")


def _tool(title: str, attributes: Mapping[str, Any]) -> str:
    if found := _first_text(attributes, TOOL_KEYS):
        return found
    for key, value in attributes.items():
        named = _TOOL_KEY.search(key) or (
            _TOOL_PART.search(key) and not re.search("result|output|definition", key, re.IGNORECASE)
        )
        if named and isinstance(value, str) and trim(value) and not isinstance(_structured(value), dict | list):
            return trim(value)
    return title.rpartition("/")[2].strip() if title.startswith("mcp ") and "/" in title else ""


def _arguments(attributes: Mapping[str, Any]) -> Any:
    others = [
        key
        for key in attributes
        if _ARGUMENT_PART.search(key) and not re.search("result|output|error|status", key, re.IGNORECASE)
    ]
    found = (_structured(attributes[key]) for key in (*ARGUMENT_KEYS, *others) if attributes.get(key) is not None)
    return next((value for value in found if value is not UNDEFINED), UNDEFINED)


def _structured(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError:
        return trim(value) or UNDEFINED


def _command(title: str, attributes: Mapping[str, Any], tool: str, arguments: Any) -> str:
    if found := _first_text(attributes, COMMAND_KEYS):
        return found
    keys = [
        key for key in attributes if "command" in key.lower() and not re.search("output|result", key, re.IGNORECASE)
    ]
    if found := _first_text(attributes, keys):
        return found
    if tool.lower() in COMMAND_TOOLS and isinstance(arguments, dict):
        given = next((arguments[key] for key in ("cmd", "command", "commands") if key in arguments), "")
        joined = " ".join(map(str, given)) if isinstance(given, list) else given
        if isinstance(joined, str) and trim(joined):
            return trim(joined)
    return trim(title[5:]) if title.startswith("exec ") else ""


def _query(title: str, attributes: Mapping[str, Any]) -> str:
    if found := _first_text(attributes, SEARCH_KEYS):
        return found
    if _SEARCHING.search(title) and (found := _first_text(attributes, ("query",))):
        return found
    return trim(title[7:].strip('"')) if title.startswith("search ") else ""


def _matcher(value: Any, kind: str = "") -> dict[str, Any]:
    if isinstance(value, str):
        return {"pattern": value, "type": kind}
    return {**value, "type": value.get("type") or kind} if isinstance(value, dict) else {}


def _pattern(matcher: Mapping[str, Any]) -> str:
    return str(matcher.get("pattern") or matcher.get("name") or "")


def _fits(step: Step, matcher: Mapping[str, Any]) -> bool:
    kinds = matcher.get("type")
    if kinds and step.kind not in (kinds if isinstance(kinds, list) else [kinds]):
        return False
    pattern = _pattern(matcher)
    return not pattern or any(matches(alias, pattern) for alias in step.aliases)


def _value(subject: Subject) -> Any:
    return subject.assertion.get("value") if subject.value is UNDEFINED or subject.value is None else subject.value


def _told(steps: Sequence[Step]) -> str:
    shown = ", ".join(f"{step.kind}:{step.name[:80]}" for step in steps[:STEPS_SHOWN])
    return (shown or "nothing") + (f" and {len(steps) - STEPS_SHOWN} more" if len(steps) > STEPS_SHOWN else "")


def tool_used(subject: Subject) -> Finding:
    """These tools were called: each at least once, or one of them between `min` (1) and `max` times."""
    tools = [step for step in steps_of(subject) if step.kind == "tool"]
    value = _value(subject)
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        wanted = [_matcher(each, "tool") for each in ([value] if isinstance(value, str) else value)]
        require(wanted, "`trajectory:tool-used` takes at least one tool")
        used = [any(_fits(step, matcher) for step in tools) for matcher in wanted]
        holds = any(used) if subject.negated else all(used)
        return verdict(holds, subject, f"called were {_told(tools)}", f"called were {_told(tools)}")
    matcher = _matcher(value, "tool")
    require(_pattern(matcher), "`trajectory:tool-used` takes a tool, a list of tools, or `name` or `pattern`")
    count = sum(_fits(step, matcher) for step in tools)
    least, most = matcher.get("min"), matcher.get("max")
    holds = count >= (number(least) if least is not None else 1) and (most is None or count <= number(most))
    return verdict(holds, subject, f"`{_pattern(matcher)}` was called {count} times", f"it was called {count} times")


def tool_sequence(subject: Subject) -> Finding:
    """These tools were called in this order, with others between them, or (`mode: exact`) just so."""
    tools = [step for step in steps_of(subject) if step.kind == "tool"]
    value = _value(subject)
    listed = value if isinstance(value, list) else value.get("steps") if isinstance(value, dict) else None
    wanted = [_matcher(each, "tool") for each in listed or ()]
    require(wanted and all(map(_pattern, wanted)), "`trajectory:tool-sequence` takes a list of tools")
    if isinstance(value, dict) and value.get("mode") == "exact":
        holds = len(tools) == len(wanted) and all(map(_fits, tools, wanted))
    else:
        left = iter(tools)
        holds = all(any(_fits(step, matcher) for step in left) for matcher in wanted)
    return verdict(holds, subject, f"called were {_told(tools)}", f"called were {_told(tools)}")


def tool_arguments(subject: Subject) -> Finding:
    """A call of a tool had these arguments: at least them, or (`mode: exact`) just them.

    `ignore` leaves arguments out on both sides, `defaults` those of the call that have their default values.
    """
    tools = [step for step in steps_of(subject) if step.kind == "tool"]
    value = _value(subject)
    matcher = _matcher(value, "tool") if isinstance(value, dict) else {}
    require(_pattern(matcher), "`trajectory:tool-args-match` takes `name` or `pattern`, and `args`")
    wanted = matcher.get("args", matcher.get("arguments"))
    mode, defaults, ignored = matcher.get("mode", "partial"), matcher.get("defaults") or {}, matcher.get("ignore") or []
    require(
        wanted is not None and mode in ("partial", "exact"),
        "`trajectory:tool-args-match` takes `args`, and as `mode` partial or exact",
    )
    require(isinstance(defaults, dict), "`trajectory:tool-args-match`: `defaults` is an object")
    names = [ignored] if isinstance(ignored, str) else ignored
    require(
        all(isinstance(each, str) and trim(each) for each in names),
        "`trajectory:tool-args-match`: `ignore` is a list of names",
    )
    called = [step for step in tools if _fits(step, matcher) and step.arguments is not UNDEFINED]
    expected = _without(wanted, names, {})
    compare = same if mode == "exact" else _holds
    holds = any(compare(_without(step.arguments, names, defaults), expected) for step in called)
    shown = ", ".join(write_json(step.arguments)[:200] for step in called) or "none that are known"
    return verdict(holds, subject, f"its arguments were {shown}", f"its arguments were {shown}")


def _without(value: Any, names: Sequence[str], defaults: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        key: item
        for key, item in value.items()
        if not any(key == name or (re.search(r"[*?]", name) and matches(key, name)) for name in names)
        and not (key in defaults and same(item, defaults[key]))
    }


def _holds(value: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(value, dict) and all(
            key in value and _holds(value[key], each) for key, each in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(_holds, value, expected))
    return same(value, expected)


def step_count(subject: Subject) -> Finding:
    """Between `min` and `max` steps have this `type` and fit this `pattern`."""
    steps = steps_of(subject)
    matcher = _matcher(_value(subject)) if isinstance(_value(subject), dict) else {}
    least, most = matcher.get("min"), matcher.get("max")
    require(least is not None or most is not None, "`trajectory:step-count` takes `min`, `max` or both")
    count = sum(_fits(step, matcher) for step in steps)
    holds = (least is None or count >= number(least)) and (most is None or count <= number(most))
    return verdict(holds, subject, f"{count} steps fit", f"{count} steps fit")


async def goal_success(subject: Subject) -> Finding:
    """A grader finds that the agent reached its goal, by the steps that it took."""
    steps = steps_of(subject)
    value = _value(subject)
    goal = value if isinstance(value, str) else value.get("goal") if isinstance(value, dict) else None
    if not isinstance(goal, str) or not trim(goal):
        raise Undecided("`trajectory:goal-success` takes a text, or `goal`")
    shown = [{"type": step.kind, "name": step.name} for step in steps[:STEPS_SHOWN]]
    return await judged_goal(subject, trim(goal), write_json({"stepCount": len(steps), "steps": shown}, 2))


def skill_used(subject: Subject) -> Finding:
    """The agent used these skills, as the provider reports them in `metadata.skillCalls`."""
    calls = subject.answer.metadata.get("skillCalls")
    named = [
        str(call.get("name"))
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, dict) and call.get("name") and call.get("is_error") is not True
    ]
    value = _value(subject)
    if isinstance(value, dict):
        name, pattern = trim(str(value.get("name") or "")), trim(str(value.get("pattern") or ""))
        require(name or pattern, "`skill-used` takes a skill, a list of skills, or `name` or `pattern`")
        count = sum((not name or each == name) and (not pattern or matches(each, pattern)) for each in named)
        if subject.negated:
            require(
                value.get("min") is None and value.get("max") in (None, 0), "`not-skill-used` takes no `min` or `max`"
            )
            return plain_verdict(count == 0, f"used were {named}")
        least, most = value.get("min", 0 if value.get("max") is not None else 1), value.get("max")
        holds = count >= number(least) and (most is None or count <= number(most))
        return verdict(holds, subject, f"used were {named}", f"used were {named}")
    wanted = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    require(wanted, "`skill-used` takes a skill, a list of skills, or `name` or `pattern`")
    used = [trim(str(each)) in named for each in wanted]
    holds = any(used) if subject.negated else all(used)
    return verdict(holds, subject, f"used were {named}", f"used were {named}")
