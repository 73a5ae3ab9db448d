"""Made-up calls are the same for the same seed, and look like calls."""

from itertools import islice

import msgspec

from watchkeeper.core.call import Call
from watchkeeper.core.ids import is_call_id
from watchkeeper.testing.builders import seeded_calls


def test_a_seed_gives_the_same_calls_again_and_another_gives_others() -> None:
    first, again, other = (list(islice(seeded_calls(200, seed=seed), 200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_made_up_calls_are_of_every_kind_and_survive_the_spool() -> None:
    calls = list(seeded_calls(500))
    assert {call.status for call in calls} == {"ok", "error", "cancelled"}
    assert {call.is_stream for call in calls} == {True, False}
    assert all(is_call_id(call.id) for call in calls)
    assert len({call.id for call in calls}) == 500
    for call in calls[:50]:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(call), type=Call) == call
