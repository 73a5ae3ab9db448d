"""Reasoning, usage, and what only one provider has."""

from tests.contract.gateway.carried.feature import TEXT, Feature, Json
from tests.contract.gateway.carried.words import USER

from watchkeeper.testing import Reply
from watchkeeper.testing.said import signature_of

THOUGHT = "Let me think."
SEAL = signature_of(THOUGHT)
EARLIER_THOUGHT: Json = {"type": "thinking", "thinking": THOUGHT, "signature": SEAL}
SAID: Json = {"type": "text", "text": "four"}
SUMMARY = [{"type": "summary_text", "text": THOUGHT}]
MESSAGES_THOUGHT: Json = {"messages": [USER, {"role": "assistant", "content": [EARLIER_THOUGHT, SAID]}, USER]}
REDACTED: Json = {"type": "redacted_thinking", "data": "c2VjcmV0"}
THINKING = Reply(TEXT, thinking=THOUGHT)
CACHED = Reply(
    TEXT,
    usage={
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "total_tokens": 105,
        "prompt_tokens_details": {"cached_tokens": 90},
    },
)
CACHED_MESSAGES = Reply(TEXT, usage={"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5})


def reasoned(**item: object) -> Json:
    """Return a Responses conversation with an item of reasoning in it."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": SUMMARY, **item}
    return {"input": [USER, thought, {"role": "assistant", "content": "four"}, USER]}


THOUGHTS = (
    Feature(
        "an effort for reasoning",
        {
            "chat": {"reasoning_effort": "low"},
            "responses": {"reasoning": {"effort": "low"}},
            "messages": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        },
        sent={
            "chat": {"reasoning_effort": "low"},
            "messages": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        },
    ),
    Feature(
        "the effort `minimal`",
        {"chat": {"reasoning_effort": "minimal"}, "responses": {"reasoning": {"effort": "minimal"}}},
        refused={"chat": "reasoning_effort", "responses > anthropic": "reasoning.effort"},
        sent={"chat": {"reasoning_effort": "minimal"}},
    ),
    Feature(
        "a budget for reasoning",
        {"messages": {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 3000}},
        sent={"chat": {"reasoning_effort": "low", "max_completion_tokens": 3000}},
    ),
    Feature(
        "reasoning that is shown",
        {"chat": {}, "completions": {}, "responses": {}, "messages": {}},
        reply=THINKING,
        seen={"thinking": THOUGHT},
        unseen={
            "completions": {"thinking": ""},
            "responses > anthropic": {"seal": f"wk-seal:{SEAL}"},
            "messages > anthropic": {"seal": SEAL},
        },
    ),
    Feature(
        "reasoning of an earlier turn, with its seal",
        {
            "responses": reasoned(encrypted_content=f"wk-seal:{SEAL}"),
            "messages": MESSAGES_THOUGHT,
        },
        sent={
            "chat": {"messages": [USER, {"role": "assistant", "content": "four", "reasoning_content": THOUGHT}, USER]},
            "messages": MESSAGES_THOUGHT,
        },
    ),
    Feature(
        "reasoning of an earlier turn, without a seal",
        {
            "chat": {
                "messages": [USER, {"role": "assistant", "content": "four", "reasoning_content": THOUGHT}, USER],
            },
            "responses": reasoned(),
        },
        refused={"chat": "messages[1].reasoning_content", "responses > anthropic": "input[1]"},
        sent={"chat": {"messages": [USER, {"content": "four", "reasoning_content": THOUGHT}, USER]}},
    ),
    Feature(
        "reasoning that only its provider can read",
        {
            "messages": {"messages": [USER, {"role": "assistant", "content": [REDACTED, SAID]}, USER]},
            "responses": reasoned(encrypted_content="c2VjcmV0", summary=[]),
        },
        refused={"messages": "messages[1].content[0]", "responses > chat alone": "input[1]"},
        sent={"messages": {"messages": [USER, {"role": "assistant", "content": [REDACTED, SAID]}, USER]}},
    ),
)

OTHERS = (
    Feature(
        "usage, with its cached tokens",
        {"chat": {}, "completions": {}, "responses": {}, "messages": {}},
        reply=CACHED,
        replies={"messages": CACHED_MESSAGES},
        seen={"input_tokens": 100, "output_tokens": 5, "cached_tokens": 90},
    ),
    Feature(
        "an earlier response by its id",
        {"responses": {"previous_response_id": "resp_1"}},
        refused={"responses": "previous_response_id"},
    ),
    Feature(
        "metadata and storing",
        {"chat": {"metadata": {"a": "b"}, "store": True}, "responses": {"metadata": {"a": "b"}}},
        refused={"chat": "metadata", "responses > anthropic": "metadata"},
        sent={"chat": {"metadata": {"a": "b"}}},
    ),
    Feature("vectors of a text", {"embeddings": {}}, refused={"embeddings": "model"}, seen={"text": ""}),
    Feature(
        "a count of tokens",
        {"count_tokens": {}},
        refused={"count_tokens": "model"},
        seen={"text": "", "input_tokens": 3},
    ),
)
