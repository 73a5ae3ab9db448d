"""The control API as an application: routes, errors in one shape, and its own reference page."""

from typing import Any

from fastapi import Depends, FastAPI

from watchkeeper import __version__
from watchkeeper.api import (
    alerts,
    budgets,
    calls,
    canaries,
    cases,
    cost,
    drift,
    environments,
    evals,
    faults,
    feedback,
    health,
    indexes,
    judges,
    keys,
    labels,
    past,
    people,
    prices,
    purges,
    reference,
    releases,
    replays,
    reviews,
    rollouts,
    schedules,
    scores,
    shares,
    tokens,
    value,
)
from watchkeeper.api.auth import require_operator
from watchkeeper.api.body_limit import BodyLimit
from watchkeeper.api.errors import ErrorDocument, answer_errors
from watchkeeper.api.services import Services

DESCRIPTION = (
    "What the console and the command line ask. Authenticate with `Authorization: Bearer wk-api-...`; "
    'make a token with `watchkeeper tokens create NAME`. An error is `{"error": {"code", "message"}}`: the code is '
    "stable, the message says what to do."
)
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorDocument, "description": "Nobody is signed in."},
    403: {"model": ErrorDocument, "description": "Whoever asks may not do this."},
    422: {"model": ErrorDocument, "description": "What was asked cannot be understood."},
}


def build_api(services: Services) -> FastAPI:
    """Build the application; the console is added to it by `console.app`."""
    app = FastAPI(
        title="Watchkeeper",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.services = services
    for module in (
        calls, cost, value, feedback, releases, past, environments, reviews, rollouts, replays, schedules, evals,
        scores, shares, judges, labels, cases, drift, canaries, indexes, budgets, prices, keys, people, tokens, faults,
        purges, alerts, health,
    ):  # fmt: skip
        app.include_router(module.router, dependencies=[Depends(require_operator)], responses=_ERRORS)
    app.include_router(reference.router)
    answer_errors(app)
    app.add_middleware(BodyLimit)
    return app
