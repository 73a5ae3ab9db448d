"""The format of a segment file.

    header   b"WKSP", format (1 byte), salt (16 random bytes)
    frame    length (4), CRC-32 of the sealed bytes (4), sealed bytes
    last     a frame without records, written when the segment is finished

A frame holds the records of one commit: kind (1), length (4), CRC-32 (4), payload, each. It is sealed with AES-256-GCM
under a key that is the segment's own (HMAC of the salt under the spool key); its nonce is its number, so a frame that
is moved, repeated or taken out of the middle does not open. Integers are big-endian.
"""

import hmac
import struct
import zlib
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchkeeper.core.errors import OperatorError

MAGIC = b"WKSP"
FORMAT = 1
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + 1 + SALT_BYTES
TAG_BYTES = 16
FRAME_BYTES_MAX = 512 * 1024 * 1024

_FRAME_HEAD = struct.Struct(">II")
_RECORD_HEAD = struct.Struct(">BII")
_NONCE = struct.Struct(">Q4x")


class SegmentDamaged(OperatorError):
    """A segment does not hold what was written to it; what stands before the damage can be read."""

    code = "segment_damaged"


class Record(NamedTuple):
    """One event."""

    kind: int
    payload: bytes


class Frame(NamedTuple):
    """The records of one commit; none in the last frame of a finished segment."""

    number: int
    records: list[Record]
    end: int
    """Offset of the byte behind the frame."""


def header(salt: bytes) -> bytes:
    """Write a segment's header."""
    return MAGIC + bytes([FORMAT]) + salt


def salt_of(head: bytes) -> bytes:
    """Read the salt out of a segment's first bytes.

    Raises:
        SegmentDamaged: they are not a segment's, or of a newer format.
    """
    if len(head) < HEADER_BYTES or head[: len(MAGIC)] != MAGIC:
        raise SegmentDamaged("the file does not begin like a segment")
    if head[len(MAGIC)] != FORMAT:
        raise SegmentDamaged(f"the segment has format {head[len(MAGIC)]} and this version reads {FORMAT}")
    return head[len(MAGIC) + 1 : HEADER_BYTES]


class FrameCodec:
    """Seals and opens the frames of one segment."""

    def __init__(self, spool_key: bytes, salt: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(spool_key, b"segment" + salt, sha256))

    def seal(self, number: int, records: Iterable[Record]) -> bytes:
        """Write one frame."""
        parts: list[bytes] = []
        for kind, payload in records:
            parts.append(_RECORD_HEAD.pack(kind, len(payload), zlib.crc32(payload)))
            parts.append(payload)
        sealed = self._cipher.encrypt(_NONCE.pack(number), b"".join(parts), None)
        return _FRAME_HEAD.pack(len(sealed), zlib.crc32(sealed)) + sealed

    def open(self, data: memoryview, start: int, number: int) -> Frame | None:
        """Read the frame that begins at an offset; None when its end is not there (yet).

        Raises:
            SegmentDamaged: it is there and is not what was written.
        """
        if len(data) - start < _FRAME_HEAD.size:
            return None
        length, checksum = _FRAME_HEAD.unpack_from(data, start)
        begin = start + _FRAME_HEAD.size
        if not TAG_BYTES <= length <= FRAME_BYTES_MAX:
            raise SegmentDamaged(f"frame {number} claims a length of {length} bytes")
        if len(data) - begin < length:
            return None
        sealed = data[begin : begin + length]
        if zlib.crc32(sealed) != checksum:
            raise SegmentDamaged(f"the checksum of frame {number} does not match")
        try:
            plain = self._cipher.decrypt(_NONCE.pack(number), sealed, None)
        except InvalidTag:
            raise SegmentDamaged(f"frame {number} was sealed with another key, or stood elsewhere") from None
        return Frame(number, _records(plain, number), begin + length)


def _records(plain: bytes, number: int) -> list[Record]:
    records: list[Record] = []
    at = 0
    while at < len(plain):
        kind, length, checksum = _RECORD_HEAD.unpack_from(plain, at)
        at += _RECORD_HEAD.size
        payload = plain[at : at + length]
        if zlib.crc32(payload) != checksum:
            raise SegmentDamaged(f"the checksum of a record in frame {number} does not match")
        records.append(Record(kind, payload))
        at += length
    return records
