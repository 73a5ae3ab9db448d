"""Recorded bytes as a page shows them: as text when they are text, as a hex dump when they are not."""

import difflib
import json
from dataclasses import dataclass

TEXT_BYTES_MAX = 24_000
HEX_BYTES_MAX = 1_024
DIFF_BYTES_MAX = 64_000
DIFF_LINES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyView:
    """The part of a body that is shown, and how much of it that is."""

    text: str
    is_hex: bool
    shown_bytes: int
    recorded_bytes: int
    full_bytes: int
    """Length on the wire, also when the recording stopped earlier."""

    @property
    def is_recording_cut(self) -> bool:
        """Whether there was more on the wire than was recorded."""
        return self.recorded_bytes < self.full_bytes

    @property
    def is_view_cut(self) -> bool:
        """Whether there is more in the record than is shown."""
        return self.shown_bytes < self.recorded_bytes


def body_view(body: bytes, *, full_bytes: int) -> BodyView:
    """Choose what of a body to show and in which form.

    Args:
        body: As recorded.
        full_bytes: Its length on the wire.
    """
    text = _text(body[:TEXT_BYTES_MAX])
    shown = min(len(body), TEXT_BYTES_MAX if text is not None else HEX_BYTES_MAX)
    return BodyView(
        text=hex_dump(body[:shown]) if text is None else text,
        is_hex=text is None,
        shown_bytes=shown,
        recorded_bytes=len(body),
        full_bytes=max(full_bytes, len(body)),
    )


def hex_dump(data: bytes) -> str:
    """Write bytes as rows of sixteen: offset, hexadecimal, printable ASCII."""
    rows = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{offset:08x}  {row.hex(' ', 1):<47}  {letters}")
    return "\n".join(rows)


def changed_lines(received: bytes, sent: bytes) -> tuple[str, ...] | None:
    """Return how what went upstream differs from what was received, as lines of a unified diff.

    Both are compared as indented JSON, so that only meaning counts. None when they cannot be
    compared so (too large, or not JSON); empty when they mean the same.
    """
    if max(len(received), len(sent)) > DIFF_BYTES_MAX:
        return None
    try:
        before, after = (json.dumps(json.loads(body), indent=2, ensure_ascii=False) for body in (received, sent))
    except (ValueError, RecursionError):
        return None
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=2, lineterm="")
    return tuple(list(lines)[2 : 2 + DIFF_LINES_MAX])


def _text(body: bytes) -> str | None:
    """Decode UTF-8 that a person can read; a letter cut in half at the end is dropped."""
    for cut in range(min(4, len(body) + 1)):
        try:
            text = body[: len(body) - cut].decode()
        except UnicodeDecodeError:
            continue
        return text if all(letter >= " " or letter in "\n\r\t\f" for letter in text) else None
    return None
