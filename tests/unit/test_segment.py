"""A segment gives back what was written or says what is missing; it never gives back something else."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.spool.reader import Frame, SegmentReader
from watchkeeper.spool.segment import HEADER_BYTES, Record, Scratch, SegmentCipher, SegmentDamaged

KEY = bytes(range(32))
FRAMES = (
    (Record(1, b"one"), Record(1, b"two")),
    (Record(2, b""),),
    (Record(1, b"three" * 100), Record(7, b"four")),
)


class Written:
    """The parts of a segment file, to be put together in any way."""

    def __init__(self, frames: Sequence[Sequence[Record]], *, worker: str = "worker-0", number: int = 1) -> None:
        cipher = SegmentCipher.fresh(KEY, worker=worker, number=number)
        scratch = Scratch()
        self.header = cipher.header(0)
        self.frames = [bytes(cipher.frame(at, records, scratch)) for at, records in enumerate(frames)]
        self.footer = cipher.footer(len(frames), sum(len(records) for records in frames))

    def whole(self) -> bytes:
        return self.header + b"".join(self.frames) + self.footer


def _read(folder: Path, content: bytes, *, key: bytes = KEY, name: str = "1.seg") -> tuple[list[Frame], SegmentReader]:
    folder = folder / "worker-0"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    reader = SegmentReader(folder / name, key)
    found = []
    while frame := reader.read():
        found.append(frame)
    reader.close()
    return found, reader


def _records(frames: Sequence[Frame]) -> list[Record]:
    return [record for frame in frames for record in frame.records]


def test_a_finished_segment_comes_back_whole(tmp_path: Path) -> None:
    frames, reader = _read(tmp_path, Written(FRAMES).whole())
    assert [frame.records for frame in frames] == [*FRAMES, ()]
    assert not any(frame.damage for frame in frames)
    assert reader.is_finished


frames_of_records = st.lists(
    st.lists(st.builds(Record, st.integers(0, 255), st.binary(max_size=40)), min_size=1, max_size=4).map(tuple),
    max_size=5,
)


@settings(max_examples=80)
@given(frames=frames_of_records, share=st.floats(0, 1))
def test_a_torn_tail_is_cut_at_the_last_whole_frame(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[Record, ...]], share: float
) -> None:
    written = Written(frames)
    content = written.whole()
    cut = HEADER_BYTES + int(share * (len(content) - HEADER_BYTES))
    found, _ = _read(tmp_path_factory.mktemp("torn"), content[:cut])
    ends = [HEADER_BYTES + sum(len(frame) for frame in written.frames[: at + 1]) for at in range(len(frames))]
    whole = [frame for frame, end in zip(frames, ends, strict=True) if end <= cut]
    assert _records(found) == [record for frame in whole for record in frame]
    assert not any(frame.damage for frame in found)


def test_every_changed_byte_is_noticed_and_costs_no_other_frame(tmp_path: Path) -> None:
    written = Written(FRAMES)
    content = written.whole()
    first_end = HEADER_BYTES + len(written.frames[0])
    for at in range(HEADER_BYTES, first_end):
        changed = bytearray(content)
        changed[at] ^= 0x20
        found, _ = _read(tmp_path, bytes(changed))
        assert found[0].damage, at
        assert FRAMES[0][0] not in _records(found)
        if at >= HEADER_BYTES + 16:  # its head still tells where the next frame begins
            assert found[0].lost_records == 2
            assert _records(found) == [*FRAMES[1], *FRAMES[2]]


def test_a_changed_header_is_refused(tmp_path: Path) -> None:
    content = Written(FRAMES).whole()
    for at in range(HEADER_BYTES):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(SegmentDamaged):
            _read(tmp_path, bytes(changed))


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(SegmentDamaged, match="another node key"):
        _read(tmp_path, Written(FRAMES).whole(), key=bytes(32))


def test_a_segment_that_was_renamed_or_moved_to_another_worker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegmentDamaged):
        _read(tmp_path, Written(FRAMES).whole(), name="2.seg")
    with pytest.raises(SegmentDamaged):
        _read(tmp_path, Written(FRAMES, worker="worker-1").whole())


def test_a_frame_that_was_taken_out_is_missed(tmp_path: Path) -> None:
    written = Written(FRAMES)
    found, _ = _read(tmp_path, written.header + written.frames[0] + written.frames[2] + written.footer)
    assert _records(found) == [*FRAMES[0], *FRAMES[2]]
    assert [frame.damage for frame in found if frame.damage] == [
        "frames 1 to 1 are missing",
        "the footer counts 1 records more than were found",
    ]


def test_frames_that_changed_places_are_noticed(tmp_path: Path) -> None:
    written = Written(FRAMES)
    one, two, three = written.frames
    found, _ = _read(tmp_path, written.header + two + one + three)
    assert [frame.damage for frame in found if frame.damage] == [
        "frames 0 to 0 are missing",
        "frame 0 stands where a later one belongs",
    ]
    assert _records(found) == [*FRAMES[1], *FRAMES[2]]


def test_a_frame_that_was_repeated_is_read_once(tmp_path: Path) -> None:
    written = Written(FRAMES)
    one, two, three = written.frames
    found, _ = _read(tmp_path, written.header + one + two + two + three)
    assert _records(found) == [record for frame in FRAMES for record in frame]
    assert [frame.damage for frame in found if frame.damage] == ["frame 1 stands where a later one belongs"]


def test_a_frame_of_another_segment_does_not_open(tmp_path: Path) -> None:
    written, other = Written(FRAMES), Written(FRAMES)
    found, _ = _read(tmp_path, written.header + written.frames[0] + other.frames[1] + written.frames[2])
    assert _records(found) == [*FRAMES[0], *FRAMES[2]]
    assert [frame.damage for frame in found if frame.damage] == ["frame 1 is not as it was written"]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    content = Written(FRAMES).whole()
    frames, _ = _read(tmp_path, content)
    for at, frame in enumerate(frames):
        reader = SegmentReader(tmp_path / "worker-0" / "1.seg", KEY)
        reader.seek(frame.after)
        rest = []
        while following := reader.read():
            rest.append(following)
        assert rest == frames[at + 1 :]
        reader.close()


def test_a_frame_larger_than_the_space_that_is_kept_is_written_as_well(tmp_path: Path) -> None:
    large = Record(1, bytes(5 << 20))
    found, _ = _read(tmp_path, Written(((large,), (Record(1, b"small"),))).whole())
    assert _records(found) == [large, Record(1, b"small")]
