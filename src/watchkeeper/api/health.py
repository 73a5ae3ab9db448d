"""How the installation is doing, and what was changed in it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from watchkeeper.api.auth import services_of
from watchkeeper.api.filters import moment

router = APIRouter(prefix="/api/v1", tags=["installation"])


@router.get("/health", summary="Whether everything works")
async def health(request: Request, response: Response) -> dict[str, Any]:
    """Ask the parts, the store with a real query; 503 when one does not work."""
    services = services_of(request)
    found = services.health()
    troubles = [
        f"{name}: {part['trouble']}" for name, part in found.items() if isinstance(part, dict) and part.get("trouble")
    ]
    try:
        found["store"] = await services.analytics.stats()
    except Exception as error:  # whatever the store says, the answer is that it does not work
        troubles.append(f"store: {error}")
    refused = found.get("config", {}).get("refused")
    if refused:
        troubles.append(f"config: {refused}")
    response.status_code = 503 if troubles else 200
    return {"status": "trouble" if troubles else "ok", "troubles": troubles, **found}


@router.get("/changes", summary="What was changed in the set-up")
async def changes(request: Request, since: str = "7d", until: str = "") -> dict[str, Any]:
    """Return the changes of a window, oldest first."""
    services = services_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    begin = moment("since", since, now) or now - timedelta(days=7)
    end = moment("until", until, now) or now + timedelta(seconds=1)
    found = await services.control.changes.between(begin, end)
    return {
        "changes": [
            {"at": change.at.isoformat(), "actor": change.actor, "kind": change.kind, "summary": change.summary}
            for change in found
        ]
    }
