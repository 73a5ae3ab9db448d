"""Budgets for one call by itself: it is refused, or its answer kept short, where it could become too dear."""

import re
from collections.abc import Mapping

from watchkeeper.core.money import nusd
from watchkeeper.gateway.budgets import saying
from watchkeeper.gateway.budgets.worth import Dearest, with_repairs
from watchkeeper.gateway.estimate import input_tokens
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.shortening import limit_output
from watchkeeper.gateway.tab import Worth
from watchkeeper.money.budgets import Budget
from watchkeeper.money.prices import PER_MILLION
from watchkeeper.money.windows import Window

_DOLLARS = re.compile(rb"^\d{1,6}(\.\d{1,9})?$")

LEAST_ANSWER_TOKENS = 16
"""An answer that would have to be shorter is not asked for."""


def most_of(headers: Mapping[bytes, bytes], release_nusd: int | None = None) -> Budget | None:
    """Return what a client itself allows for its call (`x-wk-max-cost`, in US dollars), or its release if that is less.

    None where neither says anything.

    Raises:
        BadRequest: it is no amount.
    """
    said = headers.get(b"x-wk-max-cost")
    if said is None:
        return None if release_nusd is None else _most("release", release_nusd)
    if not _DOLLARS.match(said):
        raise BadRequest(
            "`x-wk-max-cost` must be an amount in US dollars, such as 0.05. Nothing was sent upstream.",
            param="x-wk-max-cost",
        )
    wished = nusd(said.decode())
    if release_nusd is not None and release_nusd < wished:
        return _most("release", release_nusd)
    return _most("x-wk-max-cost", wished)


def _most(name: str, limit_nusd: int) -> Budget:
    return Budget(name, (("request", "*"),), "nusd", limit_nusd, Window("lifetime"))


def see_that_it_fits(passage: Passage, budgets: tuple[Budget, ...], worth: Worth, rates: Dearest | None) -> Worth:
    """Return what a call may need once its answer is no longer than its budgets allow.

    What the input will take is estimated; the answer counts with its whole limit. A request without one is given one.

    Raises:
        BudgetExceeded: it does not fit.
    """
    for budget in budgets:
        if budget.mode == "shadow":
            most = worth.tokens if budget.unit == "tokens" else worth.nusd
            if most is not None and most > budget.limit:
                passage.call.budget_notes.append(f"would_refuse {budget.id}")
        elif budget.unit == "tokens" and worth.tokens > budget.limit:
            worth = _fitted(passage, budget, worth, _TOKENS)
        elif budget.unit == "nusd" and rates is not None and worth.nusd is not None and worth.nusd > budget.limit:
            worth = _fitted(passage, budget, worth, rates)
    return worth


_TOKENS = Dearest(PER_MILLION, PER_MILLION, 0)
"""With these rates a token costs one."""


def _fitted(passage: Passage, budget: Budget, worth: Worth, rates: Dearest) -> Worth:
    view = passage.view
    assert view is not None
    answers, limit = view.output_limit
    asked = input_tokens(passage.body)
    before = rates.cost(with_repairs(passage, asked, 0)[0], 0) + passage.repairs * rates.request_nusd
    if limit is None and rates.output:
        of_one = rates.output * (1 + passage.repairs) + rates.input * passage.repairs
        fits = (budget.limit - before) * PER_MILLION // (of_one * max(1, answers))
        if fits >= LEAST_ANSWER_TOKENS:
            limit_output(passage, fits)
            nusd = None if worth.nusd is None else min(worth.nusd, budget.limit)
            return Worth(sum(with_repairs(passage, len(passage.body), fits * answers)), nusd)
        raise saying.too_dear(budget, before)
    most = rates.cost(*with_repairs(passage, asked, answers * (limit or 0))) + passage.repairs * rates.request_nusd
    if most > budget.limit:
        raise saying.too_dear(budget, most)
    return worth
