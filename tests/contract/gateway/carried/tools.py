"""Tools: offered, asked for, answered."""

from tests.contract.gateway.carried.feature import Api, Feature, Json
from tests.contract.gateway.carried.media import PICTURE, PNG, PNG_URL
from tests.contract.gateway.carried.words import USER

from watchkeeper.testing import Reply, Tool

TAKES: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: Json = {"name": "get_weather", "description": "The weather.", "parameters": TAKES}
CHAT_TOOLS: Json = {"tools": [{"type": "function", "function": FUNCTION}]}
RESPONSES_TOOLS: Json = {"tools": [{"type": "function", **FUNCTION, "strict": False}]}
MESSAGES_TOOLS: Json = {"tools": [{"name": "get_weather", "description": "The weather.", "input_schema": TAKES}]}
OFFERED: dict[Api, Json] = {"chat": CHAT_TOOLS, "messages": MESSAGES_TOOLS}

BERLIN = Tool("get_weather", {"city": "Berlin"}, id="call_1")
ROME = Tool("get_weather", {"city": "Rome"}, id="call_2")
ONE = ("call_1", "get_weather", {"city": "Berlin"})
TWO = ("call_2", "get_weather", {"city": "Rome"})
STOPS = {"responses": {"stop": "completed"}, "messages": {"stop": "tool_use"}}

CHAT_CALL: Json = {
    "role": "assistant",
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Berlin"}'}}
    ],
}
CHAT_RESULT: Json = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
MESSAGES_CALL: Json = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Berlin"}}],
}
RESPONSES_CALL: Json = {
    "type": "function_call",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city":"Berlin"}',
}


def messages_result(**result: object) -> Json:
    """Return a user's message with what a tool gave back."""
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", **result}]}


def responses_result(output: object) -> Json:
    """Return an item with what a tool gave back."""
    return {"type": "function_call_output", "call_id": "call_1", "output": output}


TOOLS = (
    Feature(
        "a tool that the model uses",
        {"chat": CHAT_TOOLS, "responses": RESPONSES_TOOLS, "messages": MESSAGES_TOOLS},
        sent=OFFERED,
        reply=Reply("Let me look.", tools=(BERLIN,)),
        seen={"text": "Let me look.", "tools": [ONE], "stop": "tool_calls"},
        unseen=STOPS,
    ),
    Feature(
        "several tools at once",
        {"chat": CHAT_TOOLS, "responses": RESPONSES_TOOLS, "messages": MESSAGES_TOOLS},
        sent=OFFERED,
        reply=Reply("", tools=(BERLIN, ROME)),
        seen={"text": "", "tools": [ONE, TWO], "stop": "tool_calls"},
        unseen=STOPS,
    ),
    Feature(
        "a tool's result",
        {
            "chat": {**CHAT_TOOLS, "messages": [USER, CHAT_CALL, CHAT_RESULT]},
            "responses": {**RESPONSES_TOOLS, "input": [USER, RESPONSES_CALL, responses_result("sunny")]},
            "messages": {**MESSAGES_TOOLS, "messages": [USER, MESSAGES_CALL, messages_result(content="sunny")]},
        },
        sent={
            "chat": {"messages": [USER, CHAT_CALL, CHAT_RESULT]},
            "messages": {"messages": [USER, MESSAGES_CALL, messages_result(content="sunny")]},
        },
    ),
    Feature(
        "the failure of a tool",
        {"messages": {"messages": [USER, MESSAGES_CALL, messages_result(content="no such city", is_error=True)]}},
        sent={"chat": {"messages": [USER, CHAT_CALL, {"role": "tool", "content": "Error: no such city"}]}},
    ),
    Feature(
        "a picture as a tool's result",
        {
            "responses": {
                "input": [
                    USER,
                    RESPONSES_CALL,
                    responses_result([{"type": "input_image", "image_url": PNG_URL, "detail": "auto"}]),
                ]
            },
            "messages": {"messages": [USER, MESSAGES_CALL, messages_result(content=[PICTURE])]},
        },
        refused={
            "responses > chat alone": "input[2].output[0]",
            "messages": "messages[2].content[0].content[0]",
        },
        sent={
            "messages": {
                "messages": [USER, MESSAGES_CALL, messages_result(content=[{"type": "image", "source": PNG}])],
            }
        },
    ),
    Feature(
        "a tool that must be used",
        {
            "chat": {**CHAT_TOOLS, "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
            "responses": {**RESPONSES_TOOLS, "tool_choice": {"type": "function", "name": "get_weather"}},
            "messages": {**MESSAGES_TOOLS, "tool_choice": {"type": "tool", "name": "get_weather"}},
        },
        sent={
            "chat": {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
            "messages": {"tool_choice": {"type": "tool", "name": "get_weather"}},
        },
        reply=Reply("", tools=(BERLIN,)),
        seen={"text": "", "tools": [ONE], "stop": "tool_calls"},
        unseen=STOPS,
    ),
    Feature(
        "one tool at a time",
        {
            "chat": {**CHAT_TOOLS, "parallel_tool_calls": False},
            "responses": {**RESPONSES_TOOLS, "parallel_tool_calls": False},
            "messages": {**MESSAGES_TOOLS, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        },
        sent={
            "chat": {"parallel_tool_calls": False},
            "messages": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        },
    ),
    Feature(
        "a tool of the provider's own",
        {
            "chat": {"web_search_options": {"search_context_size": "low"}},
            "responses": {"tools": [{"type": "web_search"}]},
            "messages": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        },
        refused={"chat": "web_search_options", "responses": "tools[0].type", "messages": "tools[0].type"},
    ),
)
