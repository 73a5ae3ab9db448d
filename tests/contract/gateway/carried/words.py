"""Text, instructions, settings and the form of the answer."""

from tests.contract.gateway.carried.feature import TEXT, Feature, Json

from watchkeeper.testing import Reply

USER = {"role": "user", "content": "one two three"}
SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
DESCRIBED = {"name": "place", "schema": SCHEMA, "strict": True}
ANSWER = Reply('{"city": "Rome"}')
EARLIER = [USER, {"role": "assistant", "content": "four"}, {"role": "user", "content": "five"}]
LATE = [USER, {"role": "assistant", "content": "four"}, {"role": "system", "content": "be brief"}, USER]

TEXTS = (
    Feature(
        "text",
        {"chat": {}, "completions": {}, "responses": {}, "messages": {}},
        sent={"chat": {"messages": [USER]}, "messages": {"messages": [USER]}},
    ),
    Feature(
        "a system prompt",
        {
            "chat": {"messages": [{"role": "system", "content": "be brief"}, USER]},
            "responses": {"instructions": "be brief"},
            "messages": {"system": "be brief"},
        },
        sent={
            "chat": {"messages": [{"role": "system", "content": "be brief"}, USER]},
            "messages": {"system": "be brief", "messages": [USER]},
        },
    ),
    Feature(
        "earlier turns",
        {"chat": {"messages": EARLIER}, "responses": {"input": EARLIER}, "messages": {"messages": EARLIER}},
        sent={"chat": {"messages": EARLIER}, "messages": {"messages": EARLIER}},
    ),
    Feature(
        "instructions in the middle",
        {"chat": {"messages": LATE}, "responses": {"input": LATE}, "messages": {"messages": LATE}},
        refused={"chat": "messages[2].role", "responses": "input[2].role", "messages": "messages[2].role"},
    ),
    Feature(
        "a participant's name",
        {"chat": {"messages": [{**USER, "name": "ana"}]}},
        refused={"chat": "messages[0].name"},
    ),
    Feature(
        "the person who asks",
        {
            "chat": {"user": "u-1"},
            "completions": {"user": "u-1"},
            "responses": {"user": "u-1"},
            "messages": {"metadata": {"user_id": "u-1"}},
        },
        sent={"chat": {"user": "u-1"}, "messages": {"metadata": {"user_id": "u-1"}}},
    ),
    Feature(
        "marks of a prefix to be cached",
        {
            "chat": {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}],
                    }
                ]
            },
            "messages": {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}],
                    }
                ]
            },
        },
        sent={
            "chat": {"messages": [{"role": "user", "content": "one"}]},
            "messages": {"messages": [{"content": [{"type": "text", "cache_control": {"type": "ephemeral"}}]}]},
        },
    ),
)

FORMS = (
    Feature(
        "JSON after a schema",
        {
            "chat": {"response_format": {"type": "json_schema", "json_schema": DESCRIBED}},
            "responses": {"text": {"format": {"type": "json_schema", **DESCRIBED}}},
            "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        },
        sent={
            "chat": {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": True}}},
            "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        },
        reply=ANSWER,
        seen={"text": ANSWER.text},
    ),
    Feature(
        "any JSON object",
        {
            "chat": {"response_format": {"type": "json_object"}},
            "responses": {"text": {"format": {"type": "json_object"}}},
        },
        refused={"chat": "response_format", "responses > anthropic": "text.format"},
        sent={"chat": {"response_format": {"type": "json_object"}}},
        reply=ANSWER,
        seen={"text": ANSWER.text},
    ),
    Feature(
        "a limit of tokens, and its reaching",
        {
            "chat": {"max_tokens": 7},
            "completions": {"max_tokens": 7},
            "responses": {"max_output_tokens": 7},
            "messages": {"max_tokens": 7},
        },
        sent={"chat": {"max_tokens": 7}, "messages": {"max_tokens": 7}},
        reply=Reply(TEXT, finish_reason="length"),
        seen={"stop": "length"},
        unseen={"responses": {"stop": "max_output_tokens"}, "messages": {"stop": "max_tokens"}},
    ),
    Feature(
        "no limit of tokens",
        {"chat": {}, "completions": {}, "responses": {}},
        sent={"messages": {"max_tokens": 4096}},
    ),
    Feature(
        "a stop sequence, and its meeting",
        {"chat": {"stop": "four"}, "completions": {"stop": ["four"]}, "messages": {"stop_sequences": ["four"]}},
        sent={"chat": {"stop": ["four"]}, "messages": {"stop_sequences": ["four"]}},
        replies={"messages": Reply(TEXT, finish_reason="stop_sequence")},
        unseen={
            "messages > anthropic": {"stop": "stop_sequence", "stop_sequence": "four"},
            "messages > openai": {"stop": "end_turn", "stop_sequence": None},
        },
    ),
    Feature(
        "temperature and `top_p`",
        {
            "chat": {"temperature": 0.5, "top_p": 0.5},
            "completions": {"temperature": 0.5, "top_p": 0.5},
            "responses": {"temperature": 0.5, "top_p": 0.5},
            "messages": {"extra_body": {"temperature": 0.5, "top_p": 0.5}},
        },
        sent={"chat": {"temperature": 0.5, "top_p": 0.5}, "messages": {"temperature": 0.5, "top_p": 0.5}},
    ),
    Feature(
        "temperature above 1",
        {"chat": {"temperature": 1.5}, "completions": {"temperature": 1.5}, "responses": {"temperature": 1.5}},
        refused={
            "chat": "temperature",
            "completions > anthropic": "temperature",
            "responses > anthropic": "temperature",
        },
        sent={"chat": {"temperature": 1.5}},
    ),
    Feature(
        "`top_k`",
        {
            "chat": {"extra_body": {"top_k": 5}},
            "completions": {"extra_body": {"top_k": 5}},
            "messages": {"extra_body": {"top_k": 5}},
        },
        refused={"completions > chat alone": "top_k", "messages": "top_k"},
        sent={"messages": {"top_k": 5}},
    ),
    Feature(
        "a seed",
        {"chat": {"seed": 7}, "completions": {"seed": 7}},
        refused={"chat": "seed", "completions > anthropic": "seed"},
        sent={"chat": {"seed": 7}},
    ),
    Feature(
        "penalties",
        {"chat": {"presence_penalty": 0.5}, "completions": {"presence_penalty": 0.5}},
        refused={"chat": "presence_penalty", "completions > anthropic": "presence_penalty"},
        sent={"chat": {"presence_penalty": 0.5}},
    ),
    Feature(
        "several answers",
        {"chat": {"n": 2}, "completions": {"n": 2}},
        refused={"chat": "n", "completions": "n"},
        unseen={"completions > openai": {"text": TEXT}},
    ),
    Feature(
        "log probabilities",
        {"chat": {"logprobs": True}, "completions": {"logprobs": 1}, "responses": {"top_logprobs": 2}},
        refused={"chat": "logprobs", "completions": "logprobs", "responses": "top_logprobs"},
    ),
    Feature(
        "several prompts in one request",
        {"completions": {"prompt": ["one", "two"]}},
        refused={"completions": "prompt"},
    ),
    Feature(
        "the text behind a gap",
        {"completions": {"suffix": "four"}},
        refused={"completions": "suffix"},
    ),
)
