"""Pages about features: all of them, and one with what is live where."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.sight import calls_seen
from watchkeeper.console.changing import markers_of
from watchkeeper.console.pages.feature import FeatureFound, feature_page
from watchkeeper.console.pages.features import NOBODY, PATH, SORTS, STAGES, FeatureChoice, FeaturesFound, features_page
from watchkeeper.console.pages.release import Permits
from watchkeeper.console.pages.reviews import review_lines
from watchkeeper.console.query import read_query
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.store.feedback import FeedbackFilter
from watchkeeper.store.rows import CallFilter

STYLES = ("money.css", "releases.css")
NAME_MAX = 200

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


class FeatureMissing(CallerError):
    """Nothing is known of such a feature."""

    code = "feature_not_found"
    http_status = 404


@router.get("/features", dependencies=SOME)
async def features(request: Request, by: By) -> Response:
    """Who owns each feature, what is live where, how it fares and what it costs."""
    services, pages = services_of(request), pages_of(request)
    parameters = dict(request.query_params)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    query = read_query({name: parameters.get(name, "") for name in ("window", "since", "until")}, now=now)
    choice = _choice(parameters)
    own = {"find": choice.find, "stage": choice.stage, "sort": choice.sort if choice.sort != "name" else ""}
    query = replace(query, path=PATH, own=own)
    since, until, _ = query.window.steps(now)
    seen = await calls_seen(CallFilter(since=since, until=until), services, by)
    fares, standings, released = await asyncio.gather(
        services.analytics.releases.features(seen),
        services.control.environments.current(),
        services.control.releases.features(),
    )
    found = FeaturesFound(
        declared={name: one for name, one in services.cost_basis().features.items() if by.rights.may("read", name)},
        released=[name for name in released if by.rights.may("read", name)],
        standings=[row for row in standings if by.rights.may("read", row.feature)],
        figures=fares,
    )
    page = features_page(found, query, choice)
    shell = await pages.shell(request, title="Features", here="features", styles=STYLES)
    return pages.answer("features.html", page, shell)


@router.get("/features/{name}", dependencies=SOME)
async def feature(request: Request, name: str, by: By) -> Response:
    """One feature: its environments side by side, its history, its releases, how it fares."""
    services, pages = services_of(request), pages_of(request)
    await require(services, by, "read", feature=name[:NAME_MAX])
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    window = {one: request.query_params.get(one, "") for one in ("window", "since", "until")}
    query = read_query(window | {"feature": name}, now=now)
    since, until, steps = query.window.steps(now)
    chosen = CallFilter(feature=name, since=since, until=until)
    overview, outputs, markers, said = await asyncio.gather(
        services.analytics.overview(since, until, steps=steps, where=CallFilter(feature=name)),
        services.analytics.releases.output_steps(since, until, steps=steps, chosen=chosen),
        markers_of(services, by, since, until, feature=name),
        services.analytics.feedback.by_release(FeedbackFilter(feature=name, since=since, until=until)),
    )
    standings, history, rows, head, reviews = await asyncio.gather(
        services.control.environments.current(name),
        services.control.environments.history(name),
        services.control.releases.of(name),
        services.control.releases.head(name),
        services.control.reviews.listed(feature=name, is_open=True),
    )
    owned = services.cost_basis().features.get(name)
    if owned is None and not (rows or history or overview.total.calls or await _was_called(request, name)):
        raise FeatureMissing(f"Nothing is known of a feature {name[:80]!r}: it has no call, no release and no owner.")
    found = FeatureFound(
        name=name,
        owned=owned or NOBODY,
        standings=standings,
        history=history,
        releases=rows,
        head=head,
        overview=overview,
        outputs=outputs,
        markers=markers,
        said=said,
        reviews=review_lines(reviews),
    )
    page = feature_page(found, query, permits_of(by, name))
    shell = await pages.shell(request, title=name, here="features", scripts=("charts.js",), styles=STYLES)
    return pages.answer("feature.html", page, shell)


def permits_of(by: Operator, feature: str) -> Permits:
    """Return what somebody may do with a feature's releases."""
    return Permits(
        may_write=by.rights.may("write_releases", feature),
        may_approve=by.rights.may("approve", feature),
        may_promote=by.rights.may("promote", feature),
    )


async def _was_called(request: Request, name: str) -> bool:
    return bool((await services_of(request).analytics.calls(CallFilter(feature=name), limit=1)).rows)


def _choice(parameters: dict[str, str]) -> FeatureChoice:
    sort, stage = parameters.get("sort", ""), parameters.get("stage", "")
    return FeatureChoice(
        find=parameters.get("find", "").strip()[:NAME_MAX],
        stage=stage if stage in STAGES else "",
        sort=sort if sort in SORTS else "name",
    )
