"""Assertions on the tools that an answer calls."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from watchkeeper.evals.promptfoo.assertions.loaded import read_value
from watchkeeper.evals.promptfoo.assertions.strict_schemas import SchemaRefused
from watchkeeper.evals.promptfoo.assertions.structured import Validator
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, plain_verdict, require
from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.values import output_text, parse_json, text, trim

WORK_LETTERS = 4
"""So many times the letters of an output are read in search of calls that stand in its text."""
_LINE_BEGINS = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE)
_LINE_ENDS = re.compile(r"[}\]](?=[ \t\r]*$)", re.MULTILINE)
_MCP_ERROR = re.compile(r"MCP Tool Error \(([^)]+)\): (.+)")
_GOOGLE = ("google:", "vertex:", "palm:")
_OPENAI = ("openai:", "azure", "openrouter:", "groq:", "mistral:", "together", "deepseek:", "localai:", "ollama:chat")


class _TooMuch(Exception):
    """An output cannot be read within bounds."""


class _CallRefused(Exception):
    """A call does not fit the function that it calls."""


def is_valid_tools_call(subject: Subject) -> Finding:
    """All calls name tools of the provider's configuration, with arguments that fit their schemas."""
    output = subject.output
    written = output_text(output)
    if "MCP Tool Error" in written:
        found = _MCP_ERROR.search(written)
        return plain_verdict(False, f"a tool of MCP failed: {found[0] if found else 'it does not say why'}")
    if "MCP Tool Result" in written:
        return plain_verdict(True, "")
    if isinstance(output, dict) and "tool_calls" in output:
        output = output["tool_calls"]
    calls = output if isinstance(output, list) else []
    looked_at = calls[:1] if subject.is_old else calls
    if not calls or not all(map(_is_call, looked_at)):
        return plain_verdict(False, f"there are no calls of tools in it, but {write_json(output)[:500]}")
    tools = read_value(subject, subject.context.provider.config.get("tools"))
    if not tools:
        require(not subject.is_old, "the provider's `config.tools` lists no tools to check calls by")
        return plain_verdict(False, "the provider's `config.tools` lists no tools, but there are calls in it")
    functions = [each["function"] for each in tools if each.get("type") == "function" and "function" in each]
    try:
        for call in calls:
            _check_call(call["function"], functions)
    except (_CallRefused, KeyError, TypeError) as problem:
        return plain_verdict(False, str(problem))
    return plain_verdict(True, "")


def is_valid_function_call(subject: Subject) -> Finding:
    """The call names a function of the provider's configuration, with arguments that fit its schema."""
    provider = subject.context.provider
    try:
        if provider.id.startswith(_GOOGLE):
            _check_google(subject, provider.config)
        elif provider.id.startswith(_OPENAI):
            output = subject.output
            call = output["function_call"] if isinstance(output, dict) and "function_call" in output else output
            _check_call(call, read_value(subject, provider.config.get("functions")) or ())
        else:
            raise _CallRefused(f"{provider.id} is not known to call functions")
    except (_CallRefused, KeyError, TypeError) as problem:
        return plain_verdict(False, str(problem))
    return plain_verdict(True, "")


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and all(isinstance(function.get(key), str) for key in ("name", "arguments"))


def _check_call(call: Any, functions: Sequence[Mapping[str, Any]]) -> None:
    if not isinstance(call, dict) or not all(isinstance(call.get(key), str) for key in ("name", "arguments")):
        raise _CallRefused(f"it is no call of a function: {write_json(call)[:500]}")
    try:
        arguments = parse_json(call["arguments"])
    except ValueError as problem:
        raise _CallRefused(f"the arguments of {call['name']} are not JSON: {problem}") from None
    schema = next((each.get("parameters") for each in functions if each.get("name") == call["name"]), None)
    if not schema:
        raise _CallRefused(f"there is no function {call['name']}")
    _check_arguments(call["name"], schema, arguments)


def _check_arguments(name: str, schema: Any, arguments: Any) -> None:
    try:
        departure = _validator(write_json(schema)).departure(arguments)
    except SchemaRefused as refused:
        raise _CallRefused(f"the schema of {name} cannot be used: {refused}") from None
    if departure:
        raise _CallRefused(f"the arguments of {name} do not fit {departure}")


@lru_cache(200)
def _validator(schema: str) -> Validator:
    return Validator(parse_json(schema))


def _check_google(subject: Subject, config: Mapping[str, Any]) -> None:
    """Google's form: parts with `functionCall`, and types of schemas in capitals."""
    output = subject.output
    try:
        parts = parse_json(output) if isinstance(output, str) else output
    except ValueError:
        raise _CallRefused("it is no call of a function") from None
    if isinstance(parts, dict) and "toolCall" in parts:
        parts = [{"functionCall": each} for each in parts["toolCall"]["functionCalls"]]
    calls = [each["functionCall"] for each in (parts if isinstance(parts, list) else [parts]) if "functionCall" in each]
    if not calls:
        raise _CallRefused("it is no call of a function")
    tools = read_value(subject, config.get("tools")) or ()
    declared = {each["name"]: each for tool in tools for each in tool.get("functionDeclarations") or ()}
    for call in calls:
        if call.get("name") not in declared:
            raise _CallRefused(f"there is no function {call.get('name')}")
        schema = declared[call["name"]].get("parameters")
        arguments = call.get("args", {})
        if schema:
            _check_arguments(
                call["name"], _lowered(schema), parse_json(arguments) if isinstance(arguments, str) else arguments
            )


def _lowered(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_lowered(each) for each in schema]
    if isinstance(schema, dict):
        return {
            key: item.lower() if key == "type" and isinstance(item, str) else _lowered(item)
            for key, item in schema.items()
        }
    return schema


def tool_call_f1(subject: Subject) -> Finding:
    """F1 of the set of tools that are called against the set that should be; arguments and order do not matter."""
    value = subject.value
    listed = value if isinstance(value, list) else value.split(",") if isinstance(value, str) else None
    if listed is None:
        raise Undecided("`tool-call-f1` takes a list of tools, or a text with commas")
    expected = {name for each in listed if (name := trim(text(each)))}
    require(expected, "`tool-call-f1` takes at least one tool")
    try:
        called = set(_called(subject.output))
    except _TooMuch as problem:
        return plain_verdict(False, str(problem))
    right = len(expected & called)
    score = 2 * right / (len(expected) + len(called)) if right else 0.0
    passed = (score >= subject.threshold(1.0)) != subject.negated
    names = ", ".join(sorted(called)) or "nothing"
    return Finding(
        passed=passed, score=score, reason=f"F1 {score:.3f}: expected {', '.join(sorted(expected))}; called {names}"
    )


def _called(output: Any) -> Iterator[str]:
    """The names of tools that an output calls, in the forms of the large providers; in text, as JSON on own lines."""
    if isinstance(output, str):
        try:
            yield from _called(parse_json(output))
        except ValueError:
            for found in _json_blocks(output):
                yield from _called(found)
    elif isinstance(output, list):
        for item in output:
            if isinstance(item, dict):
                yield from _names(item)
    elif isinstance(output, dict):
        if isinstance(output.get("tool_calls"), list):
            for call in output["tool_calls"]:
                if isinstance(call, dict):
                    yield from _texts(_of(call, "function").get("name"), call.get("name"))
        elif output.get("type") in ("tool_use", "function_call"):
            yield from _texts(output.get("name"))
        elif isinstance(output.get("functionCall"), dict):
            yield from _texts(output["functionCall"].get("name"))
        elif isinstance(calls := _of(output, "toolCall").get("functionCalls"), list):
            yield from _texts(*(call.get("name") for call in calls if isinstance(call, dict)))


def _names(item: Mapping[str, Any]) -> Iterator[str]:
    if item.get("type") == "tool_use" and isinstance(item.get("name"), str):
        yield item["name"]
    elif isinstance(item.get("functionCall"), dict):
        yield from _texts(item["functionCall"].get("name"))
    elif isinstance(item.get("function"), dict):
        yield from _texts(item["function"].get("name"))
    else:
        yield from _texts(item.get("name"))


def _of(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _texts(*values: Any) -> Iterator[str]:
    yield from (value for value in values if isinstance(value, str))


def _json_blocks(source: str) -> Iterator[Any]:
    """JSON that begins and ends with a line. Raises _TooMuch."""
    ends = [found.start() + 1 for found in _LINE_ENDS.finditer(source)]
    left = WORK_LETTERS * len(source)
    at = 0
    for start in _LINE_BEGINS.finditer(source):
        if start.end() < at:
            continue
        for place in range(bisect_right(ends, start.end()), len(ends)):
            left -= ends[place] - start.end()
            if left < 0:
                raise _TooMuch("the output holds too much that looks like JSON and is none")
            try:
                yield parse_json(source[start.end() : ends[place]])
            except ValueError:
                continue
            at = ends[place]
            break
