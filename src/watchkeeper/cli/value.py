"""`watchkeeper value`: reports of units of value."""

import uuid
from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json


def add(
    units: str,
    *,
    call: Annotated[str, Parameter(help="Id of the call that is worth it.")] = "",
    feature: Annotated[str, Parameter(help="Where no call is named.")] = "",
    tenant: Annotated[str, Parameter(help="With --feature.")] = "",
    at: Annotated[
        str, Parameter(help="To which moment it belongs (2026-10-25T14:00); else the call's start, or now.")
    ] = "",
    id_: Annotated[
        str, Parameter(name="--id", help="The same id counts once, ever; without one, one is made up.")
    ] = "",
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Report units of value of a call or of a feature, such as accepted answers; below 0 takes back."""
    chosen = {
        "id": id_ or uuid.uuid4().hex,
        "units": units,
        "call_id": call,
        "feature": feature,
        "tenant": tenant,
        "at": at,
    }
    kept = client.post(data, "/api/v1/value", **chosen)
    if json:
        show.document(kept)
        return
    of = f"call {kept['call_id']} ({kept['feature']})" if kept["call_id"] else kept["feature"]
    show.line(f"kept {kept['id']}: {kept['units']} units of {of} at {kept['at'][:19].replace('T', ' ')} UTC")
