"""Patterns: the components of features, releases, rollouts and the playground; ordinary, empty and hostile data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.api.services import Ownership
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.drafts import draft_of, edited
from watchkeeper.console.pages.feature import FeatureFound, FeaturePage, feature_page
from watchkeeper.console.pages.features import FeatureChoice, FeaturesFound, FeaturesPage, features_page
from watchkeeper.console.pages.patterns import an_overview
from watchkeeper.console.pages.playground import Answer, Tried, answers_of
from watchkeeper.console.pages.recipe import MessageView
from watchkeeper.console.pages.release import (
    GateLine,
    Permits,
    PlaceLine,
    ReleaseFound,
    ReleasePage,
    ReviewLine,
    VoteLine,
    release_page,
)
from watchkeeper.console.pages.release_diff import recipe_diff, text_diff
from watchkeeper.console.pages.release_form import Conflict, Looked, ReleaseForm, release_form
from watchkeeper.console.pages.rollout import (
    Look,
    RolloutFound,
    RolloutPage,
    SampleView,
    ShadowView,
    StepPlan,
    rollout_page,
)
from watchkeeper.console.pages.rollouts import RolloutHead, RolloutsPage, rollouts_page
from watchkeeper.console.query import CallQuery
from watchkeeper.console.window import Window
from watchkeeper.releases.recipe import Block, Limits, Message, Output, Recipe, Retrieval, Tool, release_id
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.release_figures import FeatureFigures, OutputStep, ReleaseFigures
from watchkeeper.store.releases import ReleaseRow

_AT = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
_ALL = Permits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePatterns:
    """The page."""

    features: FeaturesPage
    feature: FeaturePage
    bare: FeaturePage
    """A feature without a release."""
    release: ReleasePage
    form: ReleaseForm
    rollouts: RolloutsPage
    canary: RolloutPage
    young: RolloutPage
    """One that has seen nothing yet."""
    shadow: RolloutPage
    answers: tuple[Answer, ...]


def release_patterns(*, hostile: str, long: str) -> ReleasePatterns:
    """Build the page; it asks nothing of any store and is always the same."""
    query = CallQuery(window=Window(name="24h", since=_AT - timedelta(days=1), until=None))
    old, new = _recipe(), _changed(hostile)
    rows = _rows(old, new, hostile, long)
    standings = _standings(rows, hostile)
    owned = Ownership(owner="ana@example.com", cost_owner="finance@example.com", stage="production")
    overview = an_overview(busy=True)
    marker = Marker(_AT + timedelta(minutes=9), f"promote support {rows[0].id[:12]} in production")
    outputs = [OutputStep(step, rows[step % 2].id, 20, step % 5) for step in range(len(overview.steps))]
    review = _review(rows[0], hostile)
    bare = FeatureFound(
        name=hostile, owned=Ownership(stage="beta"), standings=(), history=(), releases=(), head="",
        overview=an_overview(busy=False), outputs=(), markers=(),
    )  # fmt: skip
    whole = FeatureFound(
        name="support", owned=owned, standings=standings, history=standings[::-1], releases=rows, head=rows[0].id,
        overview=overview, outputs=outputs, markers=[marker], reviews=(review,),
    )  # fmt: skip
    return ReleasePatterns(
        features=_features(query, standings, owned, hostile, long),
        feature=feature_page(whole, query, _ALL),
        bare=feature_page(bare, query, Permits(may_write=False, may_approve=False, may_promote=False)),
        release=_release(query, rows, standings, review, hostile),
        form=_form(rows, hostile),
        rollouts=rollouts_page([_head("running"), _head("rolled_back", hostile), _head("done")], feature=hostile),
        canary=rollout_page(_canary(hostile), _ALL),
        young=rollout_page(replace(_canary(""), looks=()), _ALL),
        shadow=rollout_page(_shadow(hostile), _ALL),
        answers=_answers(hostile, long),
    )


def _recipe() -> Recipe:
    return Recipe(
        feature="support",
        model="gpt-4o-mini",
        messages=(
            Message("system", "You answer for {{ company }}, in {{ language }}.\nBe brief.\nSay when you do not know."),
            Message("conversation"),
            Message("user", "{{ question }}"),
        ),
        variables={
            "company": {"type": "string"},
            "language": {"type": "string", "default": "English"},
            "question": {"type": "string", "maxLength": 2000, "description": "what the customer writes"},
        },
        parameters={"temperature": 0, "max_tokens": 200},
        tools=(Tool("order_status", {"type": "object", "properties": {"order": {"type": "string"}}}, "looks up"),),
        blocks={"tone": Block("wkb1-fake", "Be kind.")},
        output=Output(schema={"type": "object", "required": ["answer"]}, repair="once"),
        retrieval=Retrieval(query="{{ question }}", collection="handbook", version="3"),
        limits=Limits(max_cost_nusd=50_000_000, timeout_s=20.0),
    )


def _changed(hostile: str) -> Recipe:
    old = _recipe()
    text = "You answer for {{ company }}, in {{ language }}.\nBe brief and kind.\nSay when you do not know.\n" + hostile
    return Recipe(
        feature="support",
        model="gpt-4o",
        messages=(Message("system", text), *old.messages[1:]),
        variables=old.variables | {hostile: {"type": ["string", "null"], "default": hostile}},
        parameters={"temperature": 0.2},
        tools=old.tools,
        output=old.output,
    )


def _rows(old: Recipe, new: Recipe, hostile: str, long: str) -> tuple[ReleaseRow, ReleaseRow]:
    first, second = release_id(old), release_id(new)
    return (
        ReleaseRow(number=2, id=second, feature="support", recipe=new, author=hostile, message=f"{hostile} {long}",
                   parent=first, at=_AT),
        ReleaseRow(number=1, id=first, feature="support", recipe=old, author="ana@example.com",
                   message="the first one", parent="", at=_AT - timedelta(days=9)),
    )  # fmt: skip


def _standings(rows: Sequence[ReleaseRow], hostile: str) -> tuple[StandingRow, ...]:
    canary = Rollout("rollout-1a2b3c4d5e", "canary", (Arm(rows[0].id, 0.05),))

    def row(number: int, environment: str, kind: str, release: str, rollout: Rollout | None = None) -> StandingRow:
        at = _AT - timedelta(hours=40 - 8 * number)
        return StandingRow(
            id=number, feature="support", environment=environment, number=number, kind=kind, release=release,
            rollout=rollout, effective_at=at, at=at, by="ana@example.com" if number % 2 else hostile,
            reason=hostile if number == 3 else "", review=7 if number == 2 else None,
            eval_run="run-12" if number == 2 else "",
        )  # fmt: skip

    return (
        row(1, "development", "promote", rows[0].id),
        row(2, "staging", "promote", rows[0].id),
        row(3, "production", "canary_start", rows[1].id, canary),
        row(4, hostile, "withdraw", ""),
    )


def _features(
    query: CallQuery, standings: Sequence[StandingRow], owned: Ownership, hostile: str, long: str
) -> FeaturesPage:
    def fares(feature: str, calls: int, errors: int) -> FeatureFigures:
        return FeatureFigures(
            feature=feature, calls=calls, errors=errors, cancelled=1, duration_p50_ms=420.0, duration_p95_ms=1_900.0,
            checked_outputs=calls, repaired_outputs=3, failed_outputs=errors // 2, copied_calls=40,
            cost_nusd=None if feature == hostile else 12_340_000_000, uncertain_nusd=1, unpriced_calls=errors,
        )  # fmt: skip

    found = FeaturesFound(
        declared={
            "support": owned,
            hostile: Ownership(owner=hostile, stage="beta"),
            long: Ownership(stage="regulated"),
        },
        released=["support"],
        standings=standings,
        figures=[fares("support", 120_400, 311), fares(hostile, 90, 12)],
    )
    return features_page(found, query, FeatureChoice())


def _review(row: ReleaseRow, hostile: str) -> ReviewLine:
    return ReviewLine(
        id=7, feature="support", feature_href="/patterns/releases", release=row.id[:12], href="/patterns/releases",
        environment="production", state="open", by=hostile, at="2026-01-31T14:05:00.000Z", message=hostile,
        votes=(
            VoteLine("ben@example.com", "approved", "2026-01-31T15:05:00.000Z", "reads well"),
            VoteLine(hostile, "rejected", "2026-01-31T15:05:00.000Z", hostile),
        ),
        is_open=True,
    )  # fmt: skip


def _release(
    query: CallQuery, rows: Sequence[ReleaseRow], standings: Sequence[StandingRow], review: ReviewLine, hostile: str
) -> ReleasePage:
    def fares(release: str, calls: int, errors: int, nusd: int) -> ReleaseFigures:
        return ReleaseFigures(
            release=release, environment="production", calls=calls, errors=errors, duration_p50_ms=410.0 + errors,
            duration_p95_ms=1_800.0 + errors, ok_outputs=calls - 40, repaired_outputs=30, failed_outputs=10,
            cost_nusd=nusd * calls, priced_calls=calls, cost_squares=calls * nusd**2 * 1.4, estimated_calls=1,
            first_at=_AT, last_at=_AT,
        )  # fmt: skip

    found = ReleaseFound(
        row=rows[0], head=rows[0].id, parent=rows[1], standings=standings, standing=rows[1],
        history=standings[::-1], previous=rows[1].id, environment="production",
        figures=[fares(rows[0].id, 1_200, 61, 420_000), fares(rows[1].id, 22_000, 300, 400_000)],
        reviews=(review,),
        gates=(
            GateLine("answers", "run-12", True, "48 of 48", "2026-01-31T14:05:00.000Z", "ci"),
            GateLine(hostile, hostile, False, hostile, "2026-01-31T14:05:00.000Z", hostile),
        ),
        places=(
            PlaceLine("production", "1 of 2 approvals are missing.", False, True),
            PlaceLine("staging", "", True),
            PlaceLine(hostile, hostile, False),
        ),
    )  # fmt: skip
    return release_page(found, query, _ALL)


def _form(rows: Sequence[ReleaseRow], hostile: str) -> ReleaseForm:
    draft = edited(draft_of(rows[0].recipe, parent=rows[0].id), "add m")
    draft = replace(draft, message=hostile, values={"question": hostile, "company": "Acme\nInc."})
    conflict = Conflict(
        head=rows[1].id, head_href="/patterns/releases", by=hostile, at="2026-01-31T14:05:00.000Z", message=hostile,
        theirs=recipe_diff(rows[0].recipe, rows[1].recipe, named="what both began with", after_named="theirs"),
        mine=recipe_diff(rows[1].recipe, rows[0].recipe, named="what both began with", after_named="yours"),
        both=("message 1, system",),
    )  # fmt: skip
    looked = Looked(
        problems={"messages.0": "line 4: there is no `}}`", "variables.1": hostile, "model": hostile, "": hostile},
        notes=("variables.company: no template uses it",),
        value_problems={"question": hostile},
        preview=(MessageView("system", "System", f"You answer for Acme. {hostile}"),),
        preview_problem=hostile,
        changed=recipe_diff(rows[1].recipe, rows[0].recipe, named="the latest"),
        conflict=conflict,
        message_problem="is missing",
        call_problem="nothing was recorded of it",
    )
    return release_form(rows[0], draft, looked, head=rows[0].id, environments=("staging", "production"))


def _head(state: str, hostile: str = "") -> RolloutHead:
    rows = _rows(_recipe(), _changed(""), "", "")
    return RolloutHead(
        id=f"rollout-{state}", feature=hostile or "support", environment="production", kind="canary", state=state,
        step=1, steps=4, arms=(Arm(rows[0].id, 0.2),), baseline=rows[1].id, started_at="2026-01-31T14:05:00.000Z",
        started_by=hostile or "ana", ended_at="" if state == "running" else "2026-01-31T18:05:00.000Z", outcome=hostile,
    )  # fmt: skip


def _canary(hostile: str) -> RolloutFound:
    head = _head("running", hostile)
    looks = [_look(place, head, hostile) for place in range(12)]
    asked = ((0.05, 600, 200), (0.2, 1_800, 1_000), (0.5, 3_600, 2_000), (1.0, 0, 0))
    steps = tuple(StepPlan(share=share, bake_s=bake_s, least_calls=calls) for share, bake_s, calls in asked)
    return RolloutFound(head=head, step_at=_AT, plan=steps, looks=looks[::-1], now=_AT + timedelta(minutes=20))


def _look(place: int, head: RolloutHead, hostile: str) -> Look:
    width = 0.09 / (1 + place) ** 0.5
    calls = 20 * (place + 1)

    def finding(metric: str, verdict: str, scale: float, baseline: float) -> dict[str, Any]:
        harm = scale * (0.004 + 0.002 * (place % 3))
        return {
            "metric": metric, "release": head.arms[0].release, "verdict": verdict, "baseline": baseline,
            "candidate": baseline + harm, "baseline_count": 4 * calls, "candidate_count": calls, "harm": harm,
            "harm_low": harm - scale * width if place > 2 else None, "harm_high": harm + scale * width,
            "margin": 0.01 * scale, "alpha": 0.004, "needed": 2_400,
        }  # fmt: skip

    findings = [
        finding("errors", "unknown", 1, 0.02),
        finding("parse_failures", "no_worse", 1, 0.01),
        finding("latency", "better", 1, 0.05),
        finding("cost", "worse", 4_000_000, 400_000),
        finding(hostile or "feedback", "missing", 10, 4.1),
    ]
    arms = [
        {"release": head.baseline, "calls": 4 * calls, "units": 3 * calls},
        {"release": head.arms[0].release, "calls": calls, "units": calls},
    ]
    reason = hostile or "Not yet known to be no worse: errors (about 1,600 more of the candidate's calls)."
    decision = "widen" if place == 5 else "continue"
    evidence = {"reason": reason, "arms": arms, "findings": findings}
    return Look(at=_AT + timedelta(seconds=30 * place), step=1, decision=decision, evidence=evidence)


def _shadow(hostile: str) -> RolloutFound:
    diff = text_diff("Your refund is on its way.", f"Your refund is on its way, it comes on Monday. {hostile}")
    view = ShadowView(
        facts=(("Compared", "1,204 answers"), ("Equal", "61.2 %"), ("Cost", "$0.0004 against $0.0009 a call")),
        samples=(SampleView(call_href="/patterns/releases", shadow_href="/patterns/releases", diff=diff),),
    )
    return RolloutFound(
        head=replace(_head("running", hostile), kind="shadow"), step_at=_AT, plan=(), looks=(), now=_AT, shadow=view
    )


def _answers(hostile: str, long: str) -> tuple[Answer, ...]:
    first = Tried(
        named="gpt-4o-mini", call_id="01FAKE", answer="Your refund is on its way.", error="", cost_nusd=420_000,
        cost_status="measured", duration_ms=812.0, input_tokens=240, output_tokens=18,
    )  # fmt: skip
    second = replace(first, named=release_id(_recipe()), answer=f"Your refund comes on Monday. {hostile} {long}",
                     cost_status="estimated", output_status="repaired")  # fmt: skip
    failed = replace(first, named=hostile, call_id="", answer="", error=hostile, cost_nusd=None, cost_status="unpriced",
                     duration_ms=None, input_tokens=None, output_tokens=None)  # fmt: skip
    return answers_of([first, second, failed])
