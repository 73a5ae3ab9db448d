"""Answers of real calls, marked: each once, by chance that is known, within a sum, whatever dies in between."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.recorded import ANSWER, a_call, record
from tests.integration.control.released import Asked, asked

from watchkeeper.config.evals import Evals
from watchkeeper.core.call import Call
from watchkeeper.core.ids import CallIds
from watchkeeper.evals.online import Rule, drawn_at, rules_of
from watchkeeper.evals.scoring import Verdict
from watchkeeper.server.drops import Drops
from watchkeeper.server.online import OnlineEvals
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.environments import StandingDraft
from watchkeeper.store.feedback import FeedbackRow
from watchkeeper.store.scores import ScoreFigures, ScoreFilter
from watchkeeper.testing import FakeClock

KEY = b"k" * 32
COST_NUSD = 1_000_000
RUBRIC = {"type": "rubric", "value": "is kind", "name": "kind", "judge": "gpt-4o-mini"}
CONTAINS = {"type": "contains", "value": "way"}


@dataclass
class Judge:
    """Says always the same, for a price."""

    label: str = "met"
    cost_nusd: int | None = COST_NUSD
    asked: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        await asyncio.sleep(0)
        self.asked.append(variables)
        content = {"analysis": "so it is", "label": self.label}
        return Verdict(content=content, release="wk1-judge", call=f"call-{len(self.asked)}", cost_nusd=self.cost_nusd)


@dataclass
class Desk:
    """A keeper with a rule; each test has a feature of its own."""

    api: Asked
    analytics: AnalyticsStore
    clock: FakeClock
    ids: CallIds
    feature: str
    judge: Judge = field(default_factory=Judge)
    rule: Rule | None = None

    def watches(self, *scorers: Any, share: str = "100%", **more: Any) -> OnlineEvals:
        written = {"feature": self.feature, "share": share, "scorers": list(scorers) or [CONTAINS], **more}
        [self.rule] = rules_of(Evals.model_validate({"online": [written]}))
        return self.keeper("a")

    def keeper(self, holder: str) -> OnlineEvals:
        rule = self.rule
        assert rule is not None
        return OnlineEvals(
            parts=self.api.services, rules=lambda: [rule], key=KEY, holder=holder, judge=lambda rule: self.judge
        )

    def stored(self, count: int = 1, **fields: object) -> list[Call]:
        made = []
        for _ in range(count):
            self.clock.advance(0.001)
            given = {"feature": self.feature, "environment": "production", "release": "wk1-one"} | fields
            made.append(a_call(self.ids, self.clock, **given))
        record(self.analytics, made, token=made[0].id)
        self.clock.advance(10)
        return made

    async def figures(self, **chosen: Any) -> dict[str, ScoreFigures]:
        found = await self.analytics.scores.figures(ScoreFilter(feature=self.feature, **chosen))
        return {one.name: one for one in found}


@pytest.fixture(scope="module")
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('scores')}/analytics")
    yield store
    store.close()


@pytest.fixture
async def desk(analytics: AnalyticsStore, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    clock = FakeClock()
    async with asked(f"sqlite:///{tmp_path}/control.db", clock) as api:
        api.services = replace(api.services, analytics=analytics, gateway_url="http://gateway/v1")
        feature = f"f{abs(hash(request.node.name)) % 10**9}"
        yield Desk(api, analytics, clock, CallIds(clock), feature)


async def test_a_call_is_marked_once_however_often_and_by_whomever_it_is_looked_at(desk: Desk) -> None:
    first = desk.watches({"type": "contains", "value": "way"}, {"type": "words", "value": {"max": 1}, "name": "short"})
    await first.look()
    calls = desk.stored(30)
    others = [desk.keeper(f"k{number}") for number in range(3)]
    await asyncio.gather(first.look(), *(other.look() for other in others))
    await first.look()
    found = await desk.figures()
    assert (found["contains"].count, found["contains"].passed) == (30, 30)
    assert (found["short"].count, found["short"].failed) == (30, 30)
    rows = await desk.analytics._ask(
        "SELECT count(), uniqExact(call_id) FROM scores WHERE feature = {f:String}", {"f": desk.feature}
    )
    assert tuple(rows[0]) == (60, 30)
    assert calls[0].release == found["contains"].release


async def test_calls_of_others_failed_ones_and_those_before_the_rule_are_left_alone(desk: Desk) -> None:
    keeper = desk.watches()
    desk.stored(2)
    desk.clock.advance(60)
    await keeper.look()
    desk.stored(2, origin="replay")
    desk.stored(2, origin="eval")
    desk.stored(2, status="error", error_class="timeout")
    desk.stored(2, environment="staging")
    [wanted] = desk.stored(1)
    await keeper.look()
    assert (await desk.figures())["contains"].count == 1
    assert wanted.id in await desk.analytics.scores.known(_name(desk), desk.feature, [wanted.id])


def _name(desk: Desk) -> str:
    assert desk.rule is not None
    return desk.rule.name


async def test_a_keeper_that_dies_after_it_kept_scores_marks_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = desk.watches()
    await keeper.look()
    desk.stored(25)
    advance, cursors = desk.api.control.online.advance, desk.api.control.online

    async def dies(rule: str, holder: str, cursor: Any = None) -> bool:
        if cursor is not None:
            raise KeyboardInterrupt
        return await advance(rule, holder)

    monkeypatch.setattr(cursors, "advance", dies)
    with pytest.raises(KeyboardInterrupt):
        await keeper._look_at(keeper.rules()[0])
    monkeypatch.undo()
    desk.stored(5)
    desk.clock.advance(601)
    await desk.keeper("b").look()
    assert (await desk.figures())["contains"].count == 30
    rows = await desk.analytics._ask("SELECT count() FROM scores WHERE feature = {f:String}", {"f": desk.feature})
    assert rows[0][0] == 30


async def test_judges_are_asked_until_the_daily_cap_is_spent_and_again_on_the_next_day(desk: Desk) -> None:
    keeper = desk.watches(RUBRIC, CONTAINS, daily_cap="0.01 USD")
    await keeper.look()
    desk.stored(30)
    await keeper.look()
    found = await desk.figures()
    assert (found["kind"].passed, found["kind"].unmeasured) == (10, 20), "10 verdicts cost a cent"
    assert (found["contains"].passed, found["kind"].cost_nusd) == (30, 10 * COST_NUSD)
    assert await _reasons(desk) == {"the judge gave no verdict: daily cap: $0.01 are spent"}
    desk.clock.advance(86_400)
    desk.stored(5)
    await keeper.look()
    assert (await desk.figures())["kind"].passed == 15


async def _reasons(desk: Desk) -> set[str]:
    text = "SELECT DISTINCT reason FROM scores WHERE feature = {f:String} AND status = 'unmeasured'"
    return {str(row[0]) for row in await desk.analytics._ask(text, {"f": desk.feature})}


async def test_a_judge_whose_price_nobody_knows_is_asked_no_more(desk: Desk) -> None:
    desk.judge.cost_nusd = None
    keeper = desk.watches(RUBRIC, daily_cap="1 USD")
    await keeper.look()
    desk.stored(30)
    await keeper.look()
    assert len(desk.judge.asked) <= 4, "those that were under way"
    assert "nobody knows what the judge costs" in "".join(await _reasons(desk))
    desk.stored(5)
    await desk.keeper("a").look()
    assert len(desk.judge.asked) <= 4


async def test_a_judge_sees_what_was_asked_and_answered(desk: Desk) -> None:
    keeper = desk.watches(RUBRIC, daily_cap="1 USD")
    await keeper.look()
    desk.stored(1)
    await keeper.look()
    [asked_for] = desk.judge.asked
    assert "Where is my refund?" in str(asked_for) and "On its way." in str(asked_for)


async def test_a_call_without_its_text_is_unmeasured_and_says_so(desk: Desk) -> None:
    keeper = desk.watches()
    await keeper.look()
    desk.stored(1, request_body=b"", response_body=b"")
    desk.stored(1, response_body=b"\xff{")
    await keeper.look()
    assert (await desk.figures())["contains"].unmeasured == 2
    assert await _reasons(desk) == {
        "the text of the call was not recorded", "the call has no answer that could be read",
    }  # fmt: skip


async def test_a_share_is_drawn_and_what_people_said_stands_beside_it(desk: Desk) -> None:
    keeper = desk.watches(share="30%")
    await keeper.look()
    calls = desk.stored(200)
    await keeper.look()
    drawn = {call.id for call in calls if drawn_at(KEY, _name(desk), call.id) < 0.3}
    assert await desk.analytics.scores.known(_name(desk), desk.feature, [call.id for call in calls]) == drawn
    assert 35 < len(drawn) < 90
    moment = datetime.fromtimestamp(desk.clock.unix_ns() / 1e9, UTC)
    said = FeedbackRow(
        id="f1", at=moment, call_id=calls[0].id, session="", feature=desk.feature, tenant="acme", release="wk1-one",
        environment="production", rollout="", name="thumbs", score=0.5, label="", comment="", value_milli=None,
        by="key:a",
    )  # fmt: skip
    await desk.analytics.feedback.add([said])
    found = await desk.figures()
    assert (found["feedback:thumbs"].mean, found["feedback:thumbs"].origin) == (0.5, "feedback")
    assert set(await desk.figures(name="feedback:thumbs")) == {"feedback:thumbs"}
    by_day = await desk.analytics.scores.figures(ScoreFilter(feature=desk.feature), by="day")
    assert {one.day for one in by_day} == {moment.date()}
    listed = await desk.api.get("/scores", feature=desk.feature, by="release", since="1d")
    assert {one["name"] for one in listed["scores"]} == {"contains", "feedback:thumbs"}
    await desk.api.person("other", "read", features=("elsewhere",))
    assert (await desk.api.reply("GET", f"/scores?feature={desk.feature}", "other")).status_code == 403
    assert (await desk.api.reply("GET", "/scores", "other")).json() == {"scores": []}


def test_the_mean_of_what_is_drawn_is_that_of_all_calls_also_where_the_share_was_changed() -> None:
    dice = random.Random(7)
    ids = [f"{number:026}" for number in range(2_000)]
    scores = {one: dice.random() * (0.5 if number < 1_000 else 1.0) for number, one in enumerate(ids)}
    truth = sum(scores.values()) / len(scores)
    means = []
    for seed in range(120):
        key = seed.to_bytes(32, "big")
        total = weight = 0.0
        for number, one in enumerate(ids):
            share = 0.02 if number < 1_000 else 0.1
            if drawn_at(key, "r", one) < share:
                total, weight = total + scores[one] / share, weight + 1 / share
        means.append(total / weight)
    error = (sum((mean - truth) ** 2 for mean in means) / len(means) / len(means)) ** 0.5
    assert abs(sum(means) / len(means) - truth) < 3.5 * error


async def test_a_release_that_scores_lower_than_the_one_before_is_told_of_until_it_is_gone(desk: Desk) -> None:
    environments = desk.api.control.environments

    async def live(release: str) -> None:
        draft = StandingDraft(feature=desk.feature, environment="production", kind="promote", release=release, by="ana")
        await environments.put(draft)
        desk.clock.advance(1)

    keeper = desk.watches(min_calls=20)
    drops = Drops(parts=desk.api.services, rules=keeper.rules)
    await keeper.look()
    await live("wk1-one")
    desk.stored(120)
    await keeper.look()
    await live("wk1-two")
    good, bad = b"On its way.", b"I do not know."
    desk.stored(60, release="wk1-two", response_body=ANSWER)
    await keeper.look()
    await drops.look()
    assert await desk.api.control.alerts.list_alerts(only_open=True) == []
    desk.stored(60, release="wk1-two", response_body=ANSWER.replace(good, bad))
    await keeper.look()
    for _ in range(2):
        await drops.look()
    [alert] = await desk.api.control.alerts.list_alerts(only_open=True)
    assert alert.kind == "eval_regression" and "release wk1-one" in alert.text and "0.500" in alert.text
    await live("wk1-one")
    desk.clock.advance(60)
    await drops.look()
    assert await desk.api.control.alerts.list_alerts(only_open=True) == []


async def test_a_day_that_scores_lower_than_the_week_before_is_told_of(desk: Desk) -> None:
    keeper = desk.watches(min_calls=20)
    drops = Drops(parts=desk.api.services, rules=keeper.rules)
    await keeper.look()
    desk.stored(100, release="")
    desk.clock.advance(timedelta(days=1).total_seconds())
    desk.stored(40, release="", response_body=ANSWER.replace(b"On its way.", b"No."))
    await keeper.look()
    await drops.look()
    [alert] = await desk.api.control.alerts.list_alerts(only_open=True)
    assert "the seven days before" in alert.text and alert.facts["mean"] == 0.0
