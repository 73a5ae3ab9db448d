"""The pages about labels: queues and judges, one item at a time, and cases from calls."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.calls import TEXT_OF_SOME
from watchkeeper.api.harvesting import Referring, added, harvest
from watchkeeper.api.judging import cards_seen, people_of
from watchkeeper.api.labelling import DrawWish, make_queue, shown_to
from watchkeeper.api.labels import LABELLING, MAKING, labelled_queue
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.console.commands import require_form
from watchkeeper.console.pages.cases import PATH as CASES
from watchkeeper.console.pages.cases import SuiteChoice, case_page
from watchkeeper.console.pages.label_patterns import label_patterns
from watchkeeper.console.pages.labels import PATH, label_page, labels_page
from watchkeeper.console.pages.patterns import HOSTILE, LONG
from watchkeeper.console.query import address
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.from_calls import MadeCase
from watchkeeper.evals.labelling import SCALES, Said
from watchkeeper.store.label_rows import LabelDraft, LabelRefused, QueueRow
from watchkeeper.store.labels import ITEMS_MAX
from watchkeeper.store.runs import RunFilter

STYLES = ("money.css", "releases.css", "labels.css")
RUNS_OFFERED = 20
COMMENT_MAX = 4_000
_SAID: dict[str, Said] = {"s": "skip", "n": "cannot_say"}

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Word = Annotated[str, Form(max_length=200)]
Long = Annotated[str, Form(max_length=COMMENT_MAX)]


@router.get(PATH, dependencies=SOME)
async def queues(request: Request, by: By) -> Response:
    """The queues, the cards of judges, and a form that draws a sample."""
    return await _queues(request, by)


@router.post(PATH, dependencies=MAKING)
async def create(request: Request, by: By, run: Word = "", scorer: Word = "", sample: Word = "100") -> Response:
    """Draw answers of a run and lead to their queue; what cannot be drawn says why."""
    await require_form(request)
    services = services_of(request)
    count = int(sample) if sample.isdecimal() and sample.isascii() and len(sample) < 7 else 0
    if not 0 < count <= ITEMS_MAX:
        told = f"A sample has 1 to {ITEMS_MAX:,} answers; no queue was made."
        return await _queues(request, by, problem=told, status=422)
    try:
        wish = DrawWish(run=run.strip(), scorer=scorer.strip(), sample=count)
        made = await make_queue(services, wish, by)
    except CallerError as error:
        return await _queues(request, by, problem=str(error), status=error.http_status)
    return RedirectResponse(f"{PATH}/{made.id}", 303)


@router.get(PATH + "/{queue}", dependencies=SOME)
async def item(request: Request, queue: int, by: By) -> Response:
    """What is to be labelled next, for who may; else how far the queue is, and how far people agree."""
    held = await services_of(request).control.labels.queue(queue)
    await require(services_of(request), by, "read", feature=held.feature)
    return await _item(request, held, by)


@router.post(PATH + "/{queue}", dependencies=LABELLING)
async def label(
    request: Request, queue: int, by: By, item: Word, key: Word, reason: Word = "", comment: Long = ""
) -> Response:
    """Keep what was said, and lead to the next item."""
    await require_form(request)
    services = services_of(request)
    held = await labelled_queue(services, queue, by)
    choice = next((one for one in SCALES[held.scale] if one.key == key), None)
    said = "label" if choice is not None else _SAID.get(key)
    try:
        if said is None or not item.isdecimal():
            raise LabelRefused("That is nothing that can be said here; nothing was kept.")
        draft = LabelDraft(
            item=int(item),
            said=said,
            by=by.name,
            value=None if choice is None else choice.value,
            reason=reason if reason in held.reasons else "",
            comment=comment.strip(),
        )
        await services.control.labels.label(queue, draft)
    except LabelRefused as error:
        return await _item(request, held, by, problem=str(error), status=error.http_status)
    return RedirectResponse(f"{PATH}/{queue}", 303)


@router.post(PATH + "/{queue}/undo", dependencies=LABELLING)
async def undo(request: Request, queue: int, by: By) -> Response:
    """Take back what was said last, and show its item again."""
    await require_form(request)
    services = services_of(request)
    held = await labelled_queue(services, queue, by)
    try:
        await services.control.labels.undo(queue, by=by.name)
    except LabelRefused as error:
        return await _item(request, held, by, problem=str(error), status=error.http_status)
    return RedirectResponse(f"{PATH}/{queue}", 303)


@router.post(PATH + "/{queue}/close", dependencies=MAKING)
async def close(request: Request, queue: int, by: By) -> Response:
    """Let nothing more be said in a queue."""
    await require_form(request)
    services = services_of(request)
    held = await services.control.labels.queue(queue)
    await require(services, by, "write_releases", feature=held.feature)
    await services.control.labels.close(queue, by=by.name)
    return RedirectResponse(f"{PATH}/{queue}", 303)


@router.get(CASES, dependencies=TEXT_OF_SOME)
async def case(request: Request, by: By, call: str = "", reference: str = "none", added: str = "") -> Response:
    """The case that a call would make, before it is kept."""
    return await _case(request, by, call, _referring(reference), added=added)


@router.post(CASES, dependencies=[needs("write_releases", somewhere=True)])
async def keep_case(request: Request, by: By, call: Word, suite: Word, reference: Word = "none") -> Response:
    """Keep a version of a suite that has the case, too."""
    await require_form(request)
    services, referring = services_of(request), _referring(reference)
    made, feature, problems = await _made(services, by, call, referring)
    await require(services, by, "write_releases", feature=feature)
    name = suite.strip()
    if made is None or not name or "/" in name:
        told = problems or ["A suite needs a name without a slash; nothing was added."]
        return await _case(request, by, call, referring, problems=told, status=422)
    row, _ = await added_to(services, feature, name, made, by)
    return RedirectResponse(address(CASES, call=call, reference=referring, added=row), 303)


@router.get("/patterns/labels", dependencies=[needs()])
async def patterns_of_labels(request: Request) -> Response:
    """Every component of the pages about labels."""
    pages = pages_of(request)
    shell = await pages.shell(request, title="Patterns of labels", styles=STYLES)
    return pages.answer("patterns_labels.html", label_patterns(hostile=HOSTILE, long=LONG), shell)


async def added_to(services: Services, feature: str, name: str, made: MadeCase, by: Operator) -> tuple[str, int]:
    """Add a case to a suite; return the suite's title, and whether the case is new."""
    row, count = await added(services, feature, name, [made.case], by=by.name)
    return row.title, count


async def _queues(request: Request, by: Operator, *, problem: str = "", status: int = 200) -> Response:
    services, pages = services_of(request), pages_of(request)
    features = by.rights.features("read")
    rows, cards, runs = await asyncio.gather(
        services.control.labels.queues(features=features),
        cards_seen(services, by),
        services.control.runs.find(RunFilter(features=features), limit=RUNS_OFFERED),
    )
    offered = [(row.id, row.head.title) for row in runs]
    page = labels_page(rows, cards, offered, problems=[problem] if problem else [])
    shell = await pages.shell(request, title="Labels", here="labels", styles=STYLES)
    return pages.answer("labels.html", page, shell, status=status)


async def _item(request: Request, held: QueueRow, by: Operator, *, problem: str = "", status: int = 200) -> Response:
    services, pages = services_of(request), pages_of(request)
    may_label = by.rights.may("read_bodies", held.feature) and any(
        by.rights.may(one, held.feature) for one in ("write_releases", "approve")
    )
    problems = [problem] if problem else []
    found = await services.control.labels.next(held.id, by=by.name) if may_label and held.is_open else None
    if found is not None:
        shown = await shown_to(services, held, found, by)
        page = label_page(held, (found, shown), None, problems=problems)
    else:
        people = await people_of(services, held.id)
        why = (
            "The queue is closed; what was said in it stands."
            if not held.is_open
            else "Nothing is left for you in this queue."
            if may_label
            else "Who may read what was answered, and write or approve releases of the feature, may label here."
        )
        page = label_page(held, None, people, why=why, problems=problems)
    title = f"Label {held.title[:60]}"
    shell = await pages.shell(request, title=title, here="labels", styles=STYLES, scripts=("labels.js",))
    return pages.answer("label.html", page, shell, status=status)


async def _case(
    request: Request,
    by: Operator,
    call: str,
    referring: Referring,
    *,
    added: str = "",
    problems: list[str] | None = None,
    status: int = 200,
) -> Response:
    services, pages = services_of(request), pages_of(request)
    made, feature, found = await _made(services, by, call, referring)
    names = [row.name for row in await services.control.suites.latest({feature}) if row.feature == feature]
    choice = SuiteChoice(feature=feature, names=tuple(names))
    page = case_page(made, choice, call=call, referring=referring, added=added[:200], problems=problems or found)
    shell = await pages.shell(request, title="Case from a call", here="calls", styles=STYLES)
    return pages.answer("case.html", page, shell, status=status)


async def _made(
    services: Services, by: Operator, call: str, referring: Referring
) -> tuple[MadeCase | None, str, list[str]]:
    """Make the case of a call, whose reading is noted; return it with the call's feature, and why there is none."""
    found = await harvest(services, by, [call], referring=referring)
    row = await services.analytics.call(call)
    feature = row.row.feature if row is not None else ""
    problems = [f"No case can be made of this call: {why}." for _, why in found.left_out]
    if not feature:
        return None, "", [*problems, "The call belongs to no feature, and a suite does."]
    return (found.made[0] if found.made else None), feature, problems


def _referring(text: str) -> Referring:
    match text:
        case "answer" | "labelled":
            return text
        case _:
            return "none"
