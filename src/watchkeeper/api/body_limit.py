"""Bounds what a request may bring: read into memory, a body of any length would be the end of the keeper."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.api.errors import error_response

BODY_BYTES_MAX = 64 << 20
"""Of any request: a suite of 100,000 ordinary cases has a third of it."""


class BodyLimit:
    """Refuses a request whose body is too long, by its own word or once that much of it has come."""

    def __init__(self, app: ASGIApp, bytes_max: int = BODY_BYTES_MAX) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"")
        if said.isdigit() and int(said) > self._bytes_max:
            await self._refuse(scope, receive, send)
            return
        left, has_begun = self._bytes_max, False

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLong
            return message

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, bounded, noted)
        except _TooLong:
            if not has_begun:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"The body is longer than {self._bytes_max >> 20} MiB. Nothing was done; send less at once."
        await error_response(413, "body_too_large", message)(scope, receive, send)


class _TooLong(BaseException):
    """More has come than is taken; no handler of ordinary errors answers it."""
