"""`watchkeeper health`."""

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import CommandFailed


def health(*, data: Data = DATA_DEFAULT, json: Json = False) -> None:
    """Ask every part whether it works; fails when one does not."""
    found = client.get(data, "/api/v1/health")
    if json:
        show.document(found)
    if found["troubles"]:
        raise CommandFailed("; ".join(found["troubles"]))
    if not json:
        holds = found["ledger"]["unresolved_holds"]
        told = f"; {holds} unresolved holds, see `watchkeeper budgets holds`" if holds else ""
        show.line(f"ok: {found['store']['calls']} calls stored, snapshot {found.get('snapshot')}{told}")
