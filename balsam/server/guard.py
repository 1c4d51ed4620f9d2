"""What holds for every request, before any route: whom it is for, how long it may be, and who may keep it."""

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from balsam.server.hosts import is_called_so

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_BODY_BYTES", "Guard"]

#: Of a request; 5,000 jobs with all their texts are less.
MAX_BODY_BYTES = 64 * 2**20
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests for others and bodies without end; lets no page embed, keep or guess at an answer."""

    def __init__(self, app: "ASGIApp", names: frozenset[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        if not is_called_so(headers.get("host", ""), self._names):
            said = headers.get("host", "")
            return PlainTextResponse(
                f"This server is not {said!r}. If it is, start it with: balsam server up --name NAME", 421
            )
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()) or int(length) > MAX_BODY_BYTES:
            return PlainTextResponse(f"At most {MAX_BODY_BYTES} bytes fit into a request.", 413)
        if "transfer-encoding" in headers:
            return PlainTextResponse("Say how long the request is: Content-Length.", 411)
        return None
