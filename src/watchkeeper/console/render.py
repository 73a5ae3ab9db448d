"""Page models become HTML: one environment, one shell around every page."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from watchkeeper import __version__
from watchkeeper.api.auth import SESSION_COOKIE, operator_of
from watchkeeper.api.services import Services
from watchkeeper.console.shell import Banner, Shell, Theme

THEME_COOKIE = "wk_theme"
LAG_BYTES = 64 * 1024 * 1024
"""More than this waiting to be stored is worth a banner."""


class Pages:
    """Renders pages with what surrounds them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._environment = Environment(
            loader=PackageLoader("watchkeeper.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def shell(self, request: Request, *, title: str, here: str, scripts: tuple[str, ...] = ()) -> Shell:
        """Put together what surrounds a page."""
        operator = await operator_of(request)
        session = request.cookies.get(SESSION_COOKIE, "")
        query = f"?{request.url.query}" if request.url.query else ""
        return Shell(
            title=title,
            here=here,
            user=operator.name if operator is not None else "",
            theme=_theme(request.cookies.get(THEME_COOKIE, "")),
            token=self._services.token_hasher.csrf(session) if session else "",
            url=f"{request.url.path}{query}",
            version=__version__,
            banners=self._banners() if operator is not None else (),
            scripts=scripts,
        )

    def html(self, template: str, shell: Shell, **values: Any) -> str:
        """Render one template."""
        return self._environment.get_template(template).render(shell=shell, **values)

    async def page(
        self, request: Request, template: str, *, title: str, here: str, scripts: tuple[str, ...] = (), **values: Any
    ) -> HTMLResponse:
        """Render one page for a request."""
        shell = await self.shell(request, title=title, here=here, scripts=scripts)
        return HTMLResponse(self.html(template, shell, **values))

    def _banners(self) -> tuple[Banner, ...]:
        found = self._services.health()
        banners = []
        refused = (found.get("config") or {}).get("refused")
        if refused:
            text = f"The last edit of the configuration is refused and the one before serves on. {refused}"
            banners.append(Banner("critical", text, "/health", "Health"))
        ingest = found.get("ingest") or {}
        if ingest.get("trouble"):
            text = f"Calls are not being stored; they wait in the spool. {ingest['trouble']}"
            banners.append(Banner("critical", text, "/health", "Health"))
        elif (ingest.get("waiting_bytes") or 0) > LAG_BYTES:
            banners.append(Banner("warning", "Calls take longer than usual to appear here.", "/health", "Health"))
        return tuple(banners)


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
