"""Releases and what is live, on both engines: two at once, many changes, and every instant between them.

200 changes here, 1,000 with `WK_SOAK=1`.
"""

import asyncio
import os
import random
from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import NoneType

import pytest
from tests.integration.control.released import recipe

from watchkeeper.releases.recipe import release_id
from watchkeeper.releases.rules import Rules
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.store.clearance import NotCleared
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import Overtaken, StandingDraft
from watchkeeper.store.gates import GateDraft
from watchkeeper.store.promotions import AlreadyLive, NothingBefore, Order
from watchkeeper.store.releases import HeadMoved, ReleaseUnknown
from watchkeeper.store.reviews import RequestClosed, RequestDraft
from watchkeeper.testing import FakeClock

CHANGES = 1_000 if os.environ.get("WK_SOAK") else 200
TICK = timedelta(microseconds=1)
FREE = Rules()


async def push(store: ControlStore, *texts: str, feature: str = "support", author: str = "ana") -> list[str]:
    """Push one release after the other and return their ids."""
    ids: list[str] = []
    for text in texts:
        parent = await store.releases.head(feature)
        row, _ = await store.releases.push(recipe(text, feature), parent=parent, author=author, message=text)
        ids.append(row.id)
    return ids


def order(release: str = "", *, feature: str = "support", environment: str = "production", **more: object) -> Order:
    return replace(
        Order(feature=feature, environment=environment, release=release, by="ana", reason="why"),
        **more,  # type: ignore[arg-type]  # fields of this very class
    )


async def test_of_two_who_push_from_the_same_release_at_once_one_is_told(store: ControlStore) -> None:
    [first] = await push(store, "first")
    outcomes = await asyncio.gather(
        *(
            store.releases.push(recipe(f"by {name}"), parent=first, author=name, message="")
            for name in ("ana", "ben", "cy", "dee")
        ),
        return_exceptions=True,
    )
    kept = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(kept) == 1 and all(isinstance(one, HeadMoved) for one in outcomes if isinstance(one, BaseException))
    assert await store.releases.head("support") == kept[0][0].id
    assert [row.id for row in await store.releases.of("support")] == [kept[0][0].id, first]


async def test_of_two_who_push_the_first_release_at_once_one_is_told(store: ControlStore) -> None:
    outcomes = await asyncio.gather(
        *(store.releases.push(recipe(name), parent="", author=name, message="") for name in ("ana", "ben")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [HeadMoved]


async def test_the_same_recipe_pushed_by_two_at_once_is_one_release(store: ControlStore) -> None:
    outcomes = await asyncio.gather(
        *(store.releases.push(recipe("same"), parent="", author=name, message="") for name in ("ana", "ben"))
    )
    assert {row.id for row, _ in outcomes} == {release_id(recipe("same"))}
    assert sorted(is_new for _, is_new in outcomes) == [False, True]


async def test_going_back_to_an_earlier_recipe_makes_its_release_the_latest_again(store: ControlStore) -> None:
    one, two = await push(store, "one", "two")
    row, is_new = await store.releases.push(recipe("one"), parent=two, author="ben", message="back")
    assert (row.id, is_new, row.author, await store.releases.head("support")) == (one, False, "ana", one)
    assert await store.releases.common_ancestor(one, two) == one


async def test_the_common_ancestor_is_the_nearest_one(store: ControlStore) -> None:
    one, two, three = await push(store, "one", "two", "three")
    assert await store.releases.common_ancestor(three, two) == two
    assert await store.releases.common_ancestor(one, three) == one
    assert await store.releases.common_ancestor(three, "") == ""
    [other] = await push(store, "one", feature="other")
    assert await store.releases.common_ancestor(three, other) == ""


async def test_a_release_is_found_by_what_begins_no_other(store: ControlStore) -> None:
    [one] = await push(store, "one")
    assert (await store.releases.get(one[:9])).id == (await store.releases.get(one[4:12])).id == one
    for wrong in ("wk1-", "wk1-zz%", "%", one[:6], "wk1-aaaaaaaaaaaaaaaaaaaaaaaaaa", "'; --"):
        with pytest.raises(ReleaseUnknown):
            await store.releases.get(wrong)


async def test_of_two_who_promote_on_what_they_saw_one_is_told(store: ControlStore) -> None:
    one, two, three = await push(store, "one", "two", "three")
    seen = (await store.promotions.promote(order(one), FREE)).row.number
    outcomes = await asyncio.gather(
        *(store.promotions.promote(order(release, expects=seen), FREE) for release in (two, three)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [Overtaken]
    numbers = [row.number for row in await store.environments.history("support")]
    assert numbers == [2, 1]


async def test_many_who_promote_at_once_follow_each_other(store: ControlStore) -> None:
    ids = await push(store, *"abcdefgh")
    done = await asyncio.gather(*(store.promotions.promote(order(release), FREE) for release in ids))
    rows = sorted((one.row for one in done), key=lambda row: row.number)
    assert [row.number for row in rows] == list(range(1, 9))
    assert all(early.effective_at < late.effective_at for early, late in pairwise(rows))
    versions = [one.version for one in sorted(done, key=lambda one: one.row.number)]
    assert versions == list(range(1, 9)), "each saw those before it and none behind"


async def test_a_freeze_and_a_promotion_at_once_leave_no_doubt(store: ControlStore, clock: FakeClock) -> None:
    ids = await push(store, *"abcdefgh")

    async def promote(release: str) -> bool:
        try:
            await store.promotions.promote(order(release), FREE)
        except NotCleared:
            return False
        return True

    frozen, *promoted = await asyncio.gather(
        store.freezes.begin("production", "*", by="ben", reason=""), *(promote(release) for release in ids)
    )
    assert frozen
    assert sum(promoted) == len(await store.environments.history("support"))
    with pytest.raises(NotCleared):
        await store.promotions.promote(order(ids[0]), FREE)


async def test_a_vote_that_comes_while_it_is_promoted_is_counted_or_too_late(store: ControlStore) -> None:
    [one] = await push(store, "one")
    draft = RequestDraft(feature="support", release=one, environment="production", message="", by="ana")
    request, _ = await store.reviews.request(draft)
    await store.reviews.vote(request.id, "approve", by="ben", comment="")
    outcomes = await asyncio.gather(
        store.reviews.vote(request.id, "reject", by="cy", comment="no"),
        store.promotions.promote(order(one), Rules(approvals=1)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, (RequestClosed, NotCleared)) for outcome in outcomes) == 1


async def test_a_request_and_its_run_stand_in_the_history(store: ControlStore) -> None:
    [one] = await push(store, "one")
    rules = Rules(approvals=1, gates=("answers", "tone"))
    draft = RequestDraft(feature="support", release=one, environment="production", message="", by="ana")
    request, is_new = await store.reviews.request(draft)
    assert is_new and (await store.reviews.request(draft)) == (request, False)
    await store.reviews.vote(request.id, "reject", by="ben", comment="no")
    await store.reviews.vote(request.id, "approve", by="ben", comment="yes")
    for gate, run in (("answers", "r1"), ("answers", "r2"), ("tone", "r3")):
        await store.gates.report(
            GateDraft(release=one, gate=gate, run=run, has_passed=run != "r1", summary="", by="ci")
        )
    done = await store.promotions.promote(order(one, review=request.id), rules)
    assert (done.row.review, done.row.eval_run, done.before) == (request.id, "r2, r3", None)
    assert [row.run for row in await store.gates.of(one)] == ["r3", "r2", "r1"]
    [kept] = await store.reviews.listed(feature="support")
    assert (kept.state, [vote.verdict for vote in kept.votes]) == ("promoted", ["approve"])


async def test_what_is_not_the_review_that_was_named_does_not_do(store: ControlStore) -> None:
    [one] = await push(store, "one")
    with pytest.raises(NotCleared, match="review request 7 is no open one for it"):
        await store.promotions.promote(order(one, review=7), FREE)


async def test_a_rollback_ends_what_is_tried_and_a_second_one_goes_further(
    store: ControlStore, clock: FakeClock
) -> None:
    one, two, three = await push(store, "one", "two", "three")
    for release in (one, two):
        await store.promotions.promote(order(release), FREE)
        clock.advance(1)
    rollout = Rollout("ro-1", "canary", (Arm(three, 0.1),))
    draft = StandingDraft(
        feature="support", environment="production", kind="canary_start", release=two, rollout=rollout, by="ana"
    )
    await store.environments.put(draft)
    done = await store.promotions.roll_back(order())
    assert (done.row.release, done.row.rollout, done.before and done.before.rollout) == (two, None, rollout)
    assert (await store.promotions.roll_back(order())).row.release == one
    with pytest.raises(NothingBefore):
        await store.promotions.roll_back(order())
    with pytest.raises(NothingBefore, match="never stood"):
        await store.promotions.roll_back(order(three))
    with pytest.raises(AlreadyLive):
        await store.promotions.promote(order(one), FREE)
    assert (await store.promotions.withdraw(order())).row.release == ""
    with pytest.raises(AlreadyLive):
        await store.promotions.withdraw(order())
    assert (await store.promotions.roll_back(order())).row.release == one


async def test_every_change_is_noted_under_its_feature_with_what_was_before(
    store: ControlStore, clock: FakeClock
) -> None:
    one, two = await push(store, "one", "two")
    await store.promotions.promote(order(one), FREE)
    await store.promotions.promote(order(two), FREE)
    await store.promotions.roll_back(order())
    await store.freezes.begin("production", "support", by="ben", reason="sale")
    draft = RequestDraft(feature="support", release=two, environment="production", message="", by="ana")
    request, _ = await store.reviews.request(draft)
    await store.reviews.vote(request.id, "approve", by="ben", comment="")
    await store.reviews.withdraw(request.id, by="ana")
    now = datetime.fromtimestamp(clock.unix_ns() / 1e9, UTC)
    noted = await store.changes.between(now - timedelta(1), now + timedelta(1))
    assert {(one.kind, one.feature) for one in noted} == {("release", "support")}
    sides = [change.detail[side] for change in noted for side in ("before", "after")]
    assert all(isinstance(side, (dict, NoneType)) for side in sides)
    assert len(noted) == 9


@dataclass
class Model:
    """What a history comes to, kept as simply as can be: the moments and what holds from each of them on."""

    moments: list[datetime]
    standing: list[tuple[str, Rollout | None]]

    def at(self, moment: datetime) -> tuple[str, Rollout | None] | None:
        place = bisect_right(self.moments, moment)
        return self.standing[place - 1] if place else None


async def test_what_was_live_is_right_for_every_second_and_each_exact_instant_of_many_changes(
    store: ControlStore, clock: FakeClock, url: str
) -> None:
    dice = random.Random(14_05)
    ids = await push(store, *(f"release {number}" for number in range(20)))
    begin = datetime.fromtimestamp(clock.unix_ns() / 1e9, UTC)
    model = Model([], [])
    for number in range(CHANGES):
        release = dice.choice(ids)
        kind = dice.choice(["promote", "rollback", "canary", "withdraw"])
        try:
            if kind == "promote":
                row = (await store.promotions.promote(order(release), FREE)).row
            elif kind == "rollback":
                row = (await store.promotions.roll_back(order())).row
            elif kind == "withdraw":
                row = (await store.promotions.withdraw(order())).row
            else:
                rollout = Rollout(f"ro-{number}", "canary", (Arm(dice.choice(ids), dice.random()),))
                draft = StandingDraft(
                    feature="support", environment="production", kind="canary_start", release=release, rollout=rollout,
                    by="ana",
                )  # fmt: skip
                row = await store.environments.put(draft)
        except (AlreadyLive, NothingBefore):
            continue
        finally:
            # Many within one lead, some at the very same instant, some after a while.
            clock.advance(dice.choice([0, 0.000001, 0.3, 0.5, 0.7]))
        model.moments.append(row.effective_at)
        model.standing.append((row.release, row.rollout))
    assert len(model.moments) > CHANGES / 2 and model.moments == sorted(set(model.moments))
    end = model.moments[-1]
    asked = [begin + timedelta(seconds=second) for second in range(int((end - begin).total_seconds()) + 3)]
    asked += [moment + step for moment in model.moments for step in (-TICK, timedelta())]
    for moment in asked if url.startswith("sqlite") else dice.sample(asked, CHANGES // 2):
        row_at = await store.environments.at("support", "production", moment)
        assert (None if row_at is None else (row_at.release, row_at.rollout)) == model.at(moment), moment
    [last] = await store.environments.all_at("production", end)
    assert (last.release, last.rollout) == model.standing[-1]
    assert await store.environments.end_of(last) is None
