"""Where in a client's request stands what a `Prompt` says, so that a refusal names the client's own field.

A dialect names a field of the prompt (`turns[1].parts[0].media_type`, `output`); only a call that is refused asks here.
"""

import re
from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"turns\[(\d+)\](?:\.parts\[(\d+)\])?(.*)")


def client_field(place: str, turns: Sequence[Sequence[str]], names: Mapping[str, str]) -> str:
    """Return the client's name for a place.

    `turns` has the client's name for each part of each turn, `names` those of top-level fields that are called
    otherwise. What is meant within a part is left out: the client may have other words for it.
    """
    found = _PLACE.fullmatch(place)
    if found is None:
        return names.get(place, place)
    turn, part, rest = int(found[1]), found[2], found[3]
    if turn >= len(turns) or not turns[turn]:
        return place
    parts = turns[turn]
    if part is None:
        return parts[0].partition(".")[0] + rest
    return parts[min(int(part), len(parts) - 1)]
