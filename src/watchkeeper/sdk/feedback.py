"""What an application says about a call: what its answer was worth, and which documents it was given."""

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from watchkeeper.core.call import Hit
from watchkeeper.core.feedback import COMMENT_LETTERS_MAX
from watchkeeper.sdk.errors import CannotRender

HITS_HEADER = "x-wk-hits"
HITS_MAX = 50
"""Named on one call; the first ones."""


def hits(found: Iterable[Hit | Mapping[str, Any]], *, collection: str = "") -> dict[str, str]:
    """Return the header that names the documents a call was given; empty for none.

    Args:
        found: Each a `Hit`, or a mapping with `id` (or `document`), and perhaps `collection`, `version`, `score`.
        collection: Of those that name none.
    """
    named = [_hit(one, collection) for one in found][:HITS_MAX]
    if not named:
        return {}
    written = [
        {"collection": hit.collection, "document": hit.document, "version": hit.version, "score": hit.score}
        for hit in named
    ]
    kept = [{name: value for name, value in hit.items() if value not in ("", None)} for hit in written]
    # Letters that a header may have, and no percent sign, which the gateway would take for an encoded letter.
    return {HITS_HEADER: json.dumps(kept, separators=(",", ":")).replace("%", "\\u0025")}


def feedback_body(
    call_id: str = "",
    *,
    session: str = "",
    name: str = "",
    score: float | None = None,
    label: str = "",
    comment: str = "",
    value: float | str | None = None,
    id: str = "",  # noqa: A002 - the word of the API
) -> dict[str, Any]:
    """Write feedback on a call or a session as the gateway takes it.

    Args:
        call_id: As in the header `x-wk-call-id`.
        session: Instead of a call.
        name: What is rated, such as `helpful`.
        score: Between 0 and 1.
        label: Such as `thumbs_up`.
        comment: In words; what is longer than the gateway takes is cut.
        value: Units of value, such as one accepted answer.
        id: The application's own; the same feedback under the same id counts once. Without one, a new one.
    """
    if bool(call_id) == bool(session):
        raise CannotRender("Feedback is on a call or on a session: give one of the two.")
    if score is not None and not 0 <= score <= 1:
        raise CannotRender(f"A score is between 0 and 1, not {score}.", variable="score")
    said = {
        "call_id": call_id, "session": session, "name": name, "label": label, "comment": comment[:COMMENT_LETTERS_MAX],
        "id": id or secrets.token_hex(16),
    }  # fmt: skip
    body: dict[str, Any] = {field: text for field, text in said.items() if text}
    if score is not None:
        body["score"] = score
    if value is not None:
        body["value"] = str(value)
    return body


def _hit(one: Hit | Mapping[str, Any], collection: str) -> Hit:
    if isinstance(one, Hit):
        return one
    document = one.get("document") or one.get("id") or ""
    return Hit(str(one.get("collection") or collection), str(document), str(one.get("version") or ""), one.get("score"))
