"""Forms that change something: each carries the session's token, and ends in a page that can be reloaded."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import SESSION_COOKIE, Operator, require_operator, services_of
from watchkeeper.console import figures
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.store.keys import KeyDraft, NewKeyRow

OVERLAP = timedelta(hours=1)

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


class FormRefused(CallerError):
    """A form came from elsewhere, or from a session that has ended."""

    code = "form_refused"
    http_status = 403


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


@router.get("/keys")
async def keys(request: Request) -> Response:
    """List the keys."""
    return await _keys_page(request, made=None)


@router.post("/keys")
async def create(
    request: Request,
    by: By,
    feature: Annotated[str, Form(min_length=1, max_length=200)],
    tenant: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make a key and show it once."""
    await require_form(request)
    services = services_of(request)
    draft = KeyDraft(feature=feature.strip(), tenant=tenant.strip(), name=name.strip())
    made = await services.control.keys.create(services.key_hasher, draft, actor=by.name)
    services.on_control_change()
    return await _keys_page(request, made=made)


@router.post("/keys/{public_id}/revoke")
async def revoke(request: Request, public_id: str, by: By) -> Response:
    """End a key."""
    await require_form(request)
    services = services_of(request)
    await services.control.keys.revoke(public_id, actor=by.name)
    services.on_control_change()
    return RedirectResponse("/keys", 303)


@router.post("/keys/{public_id}/rotate")
async def rotate(request: Request, public_id: str, by: By) -> Response:
    """Replace a key; the old one is accepted for one more hour."""
    await require_form(request)
    services = services_of(request)
    made = await services.control.keys.rotate(services.key_hasher, public_id, overlap=OVERLAP, actor=by.name)
    services.on_control_change()
    return await _keys_page(request, made=made)


async def _keys_page(request: Request, *, made: NewKeyRow | None) -> Response:
    services = services_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    rows = await services.control.keys.all()
    features = sorted(services.declared_features() | {row.feature for row in rows})
    values: dict[str, Any] = {"rows": rows, "now": now, "made": made, "features": features, "iso": figures.iso}
    return await pages_of(request).page(request, "keys.html", title="Keys", here="keys", **values)
