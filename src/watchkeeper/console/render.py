"""Page models become HTML: one environment, one shell around every page."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from watchkeeper import __version__
from watchkeeper.access.roles import NOTHING, Rights
from watchkeeper.api.auth import SESSION_COOKIE, operator_of
from watchkeeper.api.permits import Need
from watchkeeper.api.services import Services
from watchkeeper.console import figures
from watchkeeper.console.pages.drills import drill_banners
from watchkeeper.console.shell import PLACES, Banner, Place, Shell, Theme
from watchkeeper.console.static_files import PageFiles

THEME_COOKIE = "wk_theme"
LAG_BYTES = 64 * 1024 * 1024
"""More than this waiting to be stored is worth a banner."""


class Pages:
    """Renders page models. A template sees two names: `page`, its model, and `shell`, what surrounds it.

    Args:
        services: Which the shell asks, too.
        files: Style sheets and scripts.
        needs: By path, what the pages of the navigation need.
    """

    def __init__(self, services: Services, files: PageFiles, needs: Mapping[str, Need]) -> None:
        self._services = services
        self._needs = needs
        self._environment = environment(files)

    async def shell(
        self,
        request: Request,
        *,
        title: str,
        here: str = "",
        scripts: tuple[str, ...] = (),
        styles: tuple[str, ...] = (),
    ) -> Shell:
        """Put together what surrounds a page.

        Args:
            request: Whose cookies name the theme and the session.
            title: Of the browser's tab.
            here: Id of the place in the navigation.
            scripts: Beyond the common ones, by file name under `static`.
            styles: As `scripts`.
        """
        operator = await operator_of(request)
        session = request.cookies.get(SESSION_COOKIE, "")
        return replace(
            bare_shell(request, title=title),
            here=here,
            scripts=scripts,
            styles=styles,
            user=operator.name if operator is not None else "",
            token=self._services.token_hasher.csrf(session) if session else "",
            places=self._places(operator.rights) if operator is not None else (),
            rights=operator.rights if operator is not None else NOTHING,
            banners=await self._banners() if operator is not None else (),
        )

    def _places(self, rights: Rights) -> tuple[Place, ...]:
        return tuple(place for place in PLACES if self._needs[place.href].is_met_by(rights))

    async def _banners(self) -> tuple[Banner, ...]:
        now = datetime.fromtimestamp(self._services.clock.unix_ns() / 1e9, UTC)
        active = await self._services.control.faults.active()
        return banners(self._services.health()) + drill_banners(active, now=now)

    def html(self, template: str, page: object, shell: Shell | None = None) -> str:
        """Render one template; a fragment needs no shell."""
        return self._environment.get_template(template).render(page=page, shell=shell)

    def answer(self, template: str, page: object, shell: Shell, *, status: int = 200) -> HTMLResponse:
        """Render one page."""
        return HTMLResponse(self.html(template, page, shell), status)


def bare_shell(request: Request, *, title: str) -> Shell:
    """Return what surrounds a page when nothing may be asked, because something has failed."""
    query = f"?{request.url.query}" if request.url.query else ""
    theme = _theme(request.cookies.get(THEME_COOKIE, ""))
    url = f"{request.url.path}{query}"
    return Shell(title=title, here="", user="", theme=theme, token="", url=url, version=__version__)


def environment(files: PageFiles) -> Environment:
    """Make the environment in which all templates are rendered: everything is escaped, nothing may be missing."""
    made = Environment(
        loader=PackageLoader("watchkeeper.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = files.href
    made.filters["moment"] = figures.moment
    return made


def banners(health: dict[str, Any]) -> tuple[Banner, ...]:
    """Tell what an operator must know on every page.

    Args:
        health: As `Services.health` gives it.
    """
    found = []
    if refused := (health.get("config") or {}).get("refused"):
        text = f"The last edit of the configuration was refused; the one before it serves on. {refused}"
        found.append(Banner("critical", text, "/health", "Health"))
    ingest = health.get("ingest") or {}
    if trouble := ingest.get("trouble"):
        text = f"Some calls are not being stored. None is lost: they wait in the spool. {trouble}"
        found.append(Banner("critical", text, "/health", "Health"))
    elif (ingest.get("waiting_bytes") or 0) > LAG_BYTES:
        lag = figures.duration(1_000 * (ingest.get("lag_s") or 0))
        text = f"Calls appear here later than usual: ingest is {lag} behind."
        found.append(Banner("warning", text, "/health", "Health"))
    return tuple(found)


def pages_of(request: Request) -> Pages:
    """Return the application's pages."""
    pages: Pages = request.app.state.pages
    return pages


def _theme(text: str) -> Theme:
    match text:
        case "light" | "dark":
            return text
        case _:
            return "auto"
