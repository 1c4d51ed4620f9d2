"""The application that answers HTTP: its routes, its errors, and what it says of itself."""

import importlib.metadata
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from balsam.server import explaining, logins, notices, operations, resources
from balsam.server.errors import install_handlers

__all__ = ["create_app"]

#: Of a request; 5,000 jobs with all their texts are less.
MAX_BODY_BYTES = 64 * 2**20
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Return the application, over the active database."""
    app = FastAPI(
        title="Balsam",
        version=importlib.metadata.version("balsam"),
        description="Sites, applications, jobs, batch jobs and events of the site generation.",
        lifespan=notices.lifespan,
    )
    install_handlers(app)
    logins.install(app)
    app.include_router(notices.router)
    app.include_router(explaining.router)
    resources.add_routes(app)
    operations.add_routes(app)
    app.middleware("http")(_guard)
    return app


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse bodies without end, and let no page embed, keep or guess at an answer."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        return Response(f"At most {MAX_BODY_BYTES} bytes fit into a request.", 413)
    if "chunked" in request.headers.get("transfer-encoding", ""):
        return Response("Say how long the request is: Content-Length.", 411)
    response = await call_next(request)
    response.headers.update(_HEADERS)
    return response
