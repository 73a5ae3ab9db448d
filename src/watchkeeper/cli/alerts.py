"""`watchkeeper alerts`."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import FAILED, CommandFailed
from watchkeeper.cli.show import Column
from watchkeeper.cli.table import group_of

_COLUMNS = (
    Column("id"),
    Column("state", is_state=True),
    Column("severity"),
    Column("kind", leaves=2),
    Column("raised (UTC)", leaves=1),
    Column("what", shrinks_to=20),
)
_MESSAGE_COLUMNS = (
    Column("id"),
    Column("state", is_state=True),
    Column("event", leaves=2),
    Column("alert", leaves=3),
    Column("destination"),
    Column("attempts", is_right=True, leaves=4),
    Column("answer", shrinks_to=12, leaves=1),
)

AlertId = Annotated[str, Parameter(help="From `alerts list`.")]


def list_(
    *,
    only_open: Annotated[bool, Parameter(name="--open", negative="", help="Only those that are not resolved.")] = False,
    kind: Annotated[
        str,
        Parameter(help="Only one, such as budget_threshold, cost_anomaly, output_failures or rollout."),
    ] = "",
    limit: Annotated[int, Parameter(help="At most so many.")] = 50,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List alerts, the newest first."""
    chosen = {"open": "true" if only_open else "", "kind": kind, "limit": limit}
    found = client.get(data, "/api/v1/alerts", **chosen)
    if json:
        show.document(found)
    else:
        show.table(_COLUMNS, [_row(alert) for alert in found["alerts"]])


def show_(alert_id: AlertId, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Show one alert: what happened, where to look, what to do, and who was told."""
    alert = client.get(data, f"/api/v1/alerts/{client.part(alert_id)}")
    if json:
        show.document(alert)
        return
    show.heading(show.plain(alert["title"]))
    show.line(f"{alert['id']}, {alert['kind']}, {alert['severity']}, raised {_second(alert['raised_at'])} UTC")
    show.line(_state_in_words(alert))
    show.line("")
    show.line(show.plain_lines(alert["text"]))
    show.line("")
    if alert["messages"]:
        show.table(_MESSAGE_COLUMNS, [_message_row(message) for message in alert["messages"]])
    else:
        show.line("Nobody was told: no destination of the configuration takes such an alert.")


def resolve(alert_id: AlertId, *, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Say that an alert is over; destinations that ask for it are told."""
    alert = client.post(data, f"/api/v1/alerts/{client.part(alert_id)}/resolve")
    if json:
        show.document(alert)
    else:
        show.line(f"resolved {alert['id']} ({show.plain(alert['title'])})")


def judge(
    alert_id: AlertId,
    feedback: Annotated[str, Parameter(help="useful, noise, or planned: true, and expected.")],
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Say what an alert was worth; a later word replaces an earlier one."""
    alert = client.post(data, f"/api/v1/alerts/{client.part(alert_id)}/feedback", feedback=feedback)
    if json:
        show.document(alert)
    else:
        show.line(f"noted for {alert['id']}: {alert['feedback']}")


def test(
    destination: Annotated[str, Parameter(help="Its name in the configuration.")],
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Send a test message to a destination and print what came back; a good answer also switches it on again."""
    result = client.post(data, "/api/v1/alerts/test", destination=destination)
    if json:
        show.document(result)
    elif result["is_delivered"]:
        show.line(f"delivered to {result['destination']}: {show.plain(result['answer'])}")
    if not result["is_delivered"]:
        raise CommandFailed(
            f"The test message did not reach {result['destination']}: {show.plain(result['answer'])}. Mend its address "
            "or its receiver, and test again.",
            exit_code=FAILED,
        )


def outbox(
    *,
    dead: Annotated[bool, Parameter(negative="", help="Only messages that were given up.")] = False,
    limit: Annotated[int, Parameter(help="At most so many.")] = 50,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """List messages about alerts, the newest first: delivered, waiting, or given up."""
    found = client.get(data, "/api/v1/alerts/outbox", dead="true" if dead else "", limit=limit)
    if json:
        show.document(found)
    else:
        show.table(_MESSAGE_COLUMNS, [_message_row(message) for message in found["messages"]])


def retry(
    message_id: Annotated[str, Parameter(help="From `alerts outbox --dead`.")],
    *,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Try a message again that was given up; it is sent within seconds, under the same id."""
    message = client.post(data, f"/api/v1/alerts/outbox/{client.part(message_id)}/retry")
    if json:
        show.document(message)
    else:
        show.line(f"{message['id']} for {message['destination']} is tried again")


def _row(alert: dict[str, Any]) -> tuple[str, ...]:
    state = "resolved" if alert["resolved_at"] else "open"
    judged = f", {alert['feedback']}" if alert["feedback"] else ""
    return (
        alert["id"], f"{state}{judged}", alert["severity"], alert["kind"], _second(alert["raised_at"]), alert["title"],
    )  # fmt: skip


def _message_row(message: dict[str, Any]) -> tuple[str, ...]:
    due = f", due {_second(message['due_at'])}" if message["due_at"] else ""
    return (
        message["id"], f"{message['state']}{due}", message["event"], message["alert_id"], message["destination"],
        str(message["attempts"]), message["answer"] or "",
    )  # fmt: skip


def _state_in_words(alert: dict[str, Any]) -> str:
    judged = f" Judged: {alert['feedback']}." if alert["feedback"] else ""
    if not alert["resolved_at"]:
        return f"Open.{judged} `watchkeeper alerts resolve {alert['id']}` ends it."
    return f"Over since {_second(alert['resolved_at'])} UTC: {show.plain(alert['resolution'])}{judged}"


def _second(moment: str) -> str:
    return moment[:19].replace("T", " ")


group = group_of("alerts")
group.default(list_)
