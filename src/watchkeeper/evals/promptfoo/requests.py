"""Makes of a rendered prompt and a provider's configuration what the chat API takes, and of its answer an output."""

from collections.abc import Mapping
from typing import Any

from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.promptfoo.documents import read_json, read_yaml
from watchkeeper.evals.promptfoo.errors import CaseFailed
from watchkeeper.evals.promptfoo.model import ProviderOutput, Tokens

PARAMETERS = frozenset(
    {
        "temperature",
        "max_tokens",
        "max_completion_tokens",
        "top_p",
        "stop",
        "seed",
        "n",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "response_format",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "parallel_tool_calls",
        "reasoning_effort",
        "verbosity",
        "user",
        "store",
        "service_tier",
        "metadata",
        "modalities",
    }
)
"""Of a provider's `config`: sent as they are; what else stands there concerns promptfoo's own connection."""
_OTHER_NAMES = {"maxTokens": "max_tokens", "topP": "top_p", "stopSequences": "stop", "stop_sequences": "stop"}
FILTERED = "Content filtered by provider"


def messages_of(prompt: str, *, must_be_json: bool = False) -> tuple[Mapping[str, Any], ...]:
    """Read a prompt as a conversation: JSON or YAML with roles, else one message of the user.

    Raises:
        CaseFailed: it begins and ends like JSON, and is none.
    """
    trimmed = prompt.strip()
    if trimmed.startswith("- role:"):
        document = read_yaml(prompt)
        if document.faults:
            raise CaseFailed(f"Chat Completion prompt is not a valid YAML string: {document.faults[0][2]}\n\n{prompt}")
        found = document.data
    else:
        try:
            found = read_json(prompt)
        except ValueError as error:
            if must_be_json or (trimmed[:1], trimmed[-1:]) in (("{", "}"), ("[", "]")):
                raise CaseFailed(f"Chat Completion prompt is not a valid JSON string: {error}\n\n{prompt}") from None
            found = None
    if isinstance(found, dict) and isinstance(found.get("messages"), list):
        found = found["messages"]
    if isinstance(found, list) and all(isinstance(message, dict) and "role" in message for message in found):
        return tuple(found)
    return ({"role": "user", "content": prompt},)


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration is part of the request; `passthrough` is laid over it."""
    named = {_OTHER_NAMES.get(key, key): value for key, value in config.items()}
    known = {key: value for key, value in named.items() if key in PARAMETERS and value is not None}
    passed = config.get("passthrough")
    return {**known, **(passed if isinstance(passed, dict) else {})}


def output_of(answer: Answer, parameters: Mapping[str, Any]) -> ProviderOutput:
    """Read an answer as promptfoo reads that of OpenAI: a refusal is text, calls of tools are data."""
    calls = [
        {"id": f"call_{index}", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(answer.tool_calls)
    ]
    output: Any = answer.text
    flagged = bool(answer.refusal) or answer.finish == "content_filter"
    if answer.refusal:
        output = answer.refusal
    elif answer.finish == "content_filter":
        output = answer.text or FILTERED
    elif calls:
        output = {"role": "assistant", "content": answer.text, "tool_calls": calls} if answer.text else calls
    elif (parameters.get("response_format") or {}).get("type") == "json_schema":
        output = _parsed(answer.text)
    total = [count for count in (answer.input_tokens, answer.output_tokens) if count is not None]
    return ProviderOutput(
        output=None if answer.error else output,
        error=answer.error,
        raw={"call": answer.call, "model": answer.model},
        cost_nusd=answer.cost_nusd,
        latency_ms=answer.latency_ms,
        is_cached=answer.reused,
        tokens=Tokens(
            total=sum(total), prompt=answer.input_tokens or 0, completion=answer.output_tokens or 0, requests=1
        ),
        logprobs=answer.logprobs or None,
        finish_reason=answer.finish,
        is_refusal=flagged,
        guardrails={"flagged": flagged},
    )


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text
