"""The objects of a Messages reply and of its stream, as far as they are translated; what else they hold is not read."""

from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT


class StopDetails(Struct, gc=False):
    """Why the model would not answer."""

    explanation: str | None = None


class Tagged(Struct, gc=False, tag_field="type"):
    """An object that says what it is."""


class TextBlock(Tagged, tag="text"):
    """Words."""

    text: str = ""


class ThinkingBlock(Tagged, tag="thinking"):
    """Reasoning."""

    thinking: str = ""
    signature: str = ""


class RedactedThinkingBlock(Tagged, tag="redacted_thinking"):
    """Reasoning that only the provider can read."""

    data: str


class ToolUseBlock(Tagged, tag="tool_use"):
    """The model asks for a tool."""

    id: str
    name: str
    input: Raw = ABSENT


Block = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock


class Reply(Struct, gc=False):
    """A complete reply."""

    content: list[Block]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: Raw = ABSENT


class BegunMessage(Struct, gc=False):
    """A reply that has no content yet."""

    id: str = ""
    model: str = ""
    usage: Raw = ABSENT


class MessageStart(Tagged, tag="message_start"):
    """The reply begins."""

    message: BegunMessage


class BlockStart(Tagged, tag="content_block_start"):
    """A block begins."""

    index: int
    content_block: Block


class TextPiece(Tagged, tag="text_delta"):
    """More words."""

    text: str


class ThinkingPiece(Tagged, tag="thinking_delta"):
    """More reasoning."""

    thinking: str


class SignaturePiece(Tagged, tag="signature_delta"):
    """The seal of the reasoning."""

    signature: str


class InputPiece(Tagged, tag="input_json_delta"):
    """More of a tool's arguments."""

    partial_json: str


class BlockDelta(Tagged, tag="content_block_delta"):
    """A block goes on."""

    index: int
    delta: TextPiece | InputPiece | ThinkingPiece | SignaturePiece


class BlockStop(Tagged, tag="content_block_stop"):
    """A block is complete."""

    index: int


class StopDelta(Struct, frozen=True, gc=False):
    """Why the model has stopped."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class MessageDelta(Tagged, tag="message_delta"):
    """The reply is nearly complete."""

    delta: StopDelta = StopDelta()
    usage: Raw = ABSENT


class MessageStop(Tagged, tag="message_stop"):
    """All has been said."""


class Ping(Tagged, tag="ping"):
    """The connection lives."""


class ErrorDetails(Struct, gc=False):
    """What went wrong."""

    type: str = ""
    message: str = ""


class Trouble(Tagged, tag="error"):
    """The stream ends here."""

    error: ErrorDetails


StreamEvent = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop | Ping | Trouble
