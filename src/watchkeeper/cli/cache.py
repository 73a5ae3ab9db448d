"""`watchkeeper cache`."""

from typing import Annotated

from cyclopts import Parameter

from watchkeeper.cli import client, show
from watchkeeper.cli.options import DATA_DEFAULT, Data, Json
from watchkeeper.cli.outcome import WRONG_USAGE, CommandFailed


def purge(
    *,
    tenant: Annotated[str, Parameter(help="Answers given for this tenant.")] = "",
    release: Annotated[str, Parameter(help="Answers of this release.")] = "",
    subject: Annotated[
        str, Parameter(help="Answers given to this person, as clients name them; with --tenant where they have one.")
    ] = "",
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Every answer.")] = False,
    data: Data = DATA_DEFAULT,
    json: Json = False,
) -> None:
    """Drop the answers that are stored up to now; all that is named must hold."""
    if bool(tenant or release or subject) == all_:
        raise CommandFailed(
            "Which answers are meant is not clear; nothing was dropped. "
            "Name a --tenant, a --release or a --subject, or --all alone.",
            exit_code=WRONG_USAGE,
        )
    done = client.post(data, "/api/v1/cache/purges", tenant=tenant, release=release, subject=subject, all=all_)
    if json:
        show.document(done)
        return
    meant = ", ".join(f"{name} {done[name]}" for name in ("tenant", "release", "subject") if done[name])
    moment = done["at"][:19].replace("T", " ")
    show.line(f"purged {meant or 'every answer'}: what was stored until {moment} UTC is not served any more")
