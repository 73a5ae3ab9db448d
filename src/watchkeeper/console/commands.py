"""Forms that change something: each carries the session's token, and leads to a page that can be reloaded."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from watchkeeper.api.auth import SESSION_COOKIE, Operator, require_operator, services_of
from watchkeeper.api.faults import OF_ROUTES
from watchkeeper.api.keys import OPERATING as OPERATING_SOME
from watchkeeper.api.keys import KeyWish
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.console.pages.drills import PLACE
from watchkeeper.console.pages.keys import MadeKey, keys_page
from watchkeeper.console.render import pages_of
from watchkeeper.console.reveals import Reveals
from watchkeeper.core.errors import CallerError
from watchkeeper.store.faults import FaultOver
from watchkeeper.store.keys import KeyDraft, NewKeyRow

OVERLAP = timedelta(hours=1)
"""How long a key that was replaced is still accepted."""

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Word = Annotated[str, Form(max_length=200)]


class FormRefused(CallerError):
    """A form came from elsewhere, or from a session that has ended."""

    code = "form_refused"
    http_status = 403


class FeatureMissing(CallerError):
    """A key belongs to a feature."""

    code = "feature_missing"


class KeyWishRefused(CallerError):
    """A key cannot have this feature, tenant or name."""

    code = "key_refused"


async def require_form(request: Request) -> None:
    """Check that a form came from the session's own pages.

    Raises:
        FormRefused: it did not.
    """
    form = await request.form()
    session = request.cookies.get(SESSION_COOKIE, "")
    presented = form.get("csrf")
    hasher = services_of(request).token_hasher
    if not session or not isinstance(presented, str) or not hasher.csrf_matches(session, presented):
        raise FormRefused(
            "This form is too old or came from elsewhere; nothing was changed. Go back, reload, try again."
        )


@router.get("/keys", dependencies=SOME)
async def keys(request: Request, by: By, made: str = "") -> Response:
    """List the keys, and show one that has just been made, once."""
    services, pages = services_of(request), pages_of(request)
    readable = by.rights.features("read")
    rows = await services.control.keys.all(readable)
    declared = services.declared_features() if readable is None else readable
    page = keys_page(
        rows,
        declared | {row.feature for row in rows},
        now=datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC),
        gateway_url=services.gateway_url,
        made=_reveals(request).take(made, session=_session(request)) if made else None,
    )
    return pages.answer("keys.html", page, await pages.shell(request, title="Keys", here="keys"))


@router.post("/keys", dependencies=OPERATING_SOME)
async def create(request: Request, by: By, feature: Word = "", tenant: Word = "", name: Word = "") -> Response:
    """Make a key."""
    await require_form(request)
    if not feature.strip():
        raise FeatureMissing("A key needs the name of a feature; no key was made. Go back and fill it in.")
    services = services_of(request)
    try:
        wish = KeyWish(feature=feature.strip(), tenant=tenant.strip(), name=name.strip())
    except ValidationError as error:
        field = error.errors(include_url=False, include_input=False)[0]["loc"][0]
        raise KeyWishRefused(
            f"The {field} cannot be taken: a feature has no spaces and no slash in its name, and none of the three is "
            "longer than 200 characters. No key was made; go back and change it."
        ) from None
    await require(services, by, "operate", feature=wish.feature)
    draft = KeyDraft(feature=wish.feature, tenant=wish.tenant, name=wish.name)
    made = await services.control.keys.create(services.key_hasher, draft, actor=by.name)
    services.on_control_change()
    return _revealed(request, made)


@router.post("/keys/{public_id}/revoke", dependencies=OPERATING_SOME)
async def revoke(request: Request, public_id: str, by: By) -> Response:
    """End a key."""
    await require_form(request)
    services = services_of(request)
    await require(services, by, "operate", feature=(await services.control.keys.get(public_id)).feature)
    await services.control.keys.revoke(public_id, actor=by.name)
    services.on_control_change()
    return RedirectResponse("/keys", 303)


@router.post("/keys/{public_id}/rotate", dependencies=OPERATING_SOME)
async def rotate(request: Request, public_id: str, by: By) -> Response:
    """Replace a key; the old one is accepted for one more hour."""
    await require_form(request)
    services = services_of(request)
    await require(services, by, "operate", feature=(await services.control.keys.get(public_id)).feature)
    made = await services.control.keys.rotate(services.key_hasher, public_id, overlap=OVERLAP, actor=by.name)
    services.on_control_change()
    return _revealed(request, made, replaces=public_id)


@router.post("/faults/{fault_id}/stop", dependencies=[needs("operate", because=OF_ROUTES)])
async def stop_fault(request: Request, fault_id: str, by: By) -> Response:
    """End a fault early; one that has ended by itself meanwhile is what was wanted."""
    await require_form(request)
    services = services_of(request)
    with suppress(FaultOver):
        await services.control.faults.stop(fault_id, actor=by.name)
        services.on_control_change()
    return RedirectResponse(PLACE, 303)


def _revealed(request: Request, made: NewKeyRow, *, replaces: str = "") -> Response:
    shown = MadeKey(key=made.key, feature=made.row.feature, name=made.row.name, replaces=replaces)
    ticket = _reveals(request).keep(shown, session=_session(request))
    return RedirectResponse(f"/keys?made={ticket}", 303)


def _session(request: Request) -> str:
    return request.cookies.get(SESSION_COOKIE, "")


def _reveals(request: Request) -> Reveals[MadeKey]:
    reveals: Reveals[MadeKey] = request.app.state.reveals
    return reveals
