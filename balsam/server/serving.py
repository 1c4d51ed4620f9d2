"""Serve a database in this process: one process, whose threads wait for the database most of the time."""

import os
import socket
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from balsam.core.backend.base import policy
from balsam.core.schema import check_tables
from balsam.exceptions import ConflictError
from balsam.server.app import create_app
from balsam.server.hosts import certified_names, shown_host
from balsam.server.logs import log_path, start_logging
from balsam.server.running import tell
from balsam.server.settings import ServerSettings

__all__ = ["serve"]

#: For requests under way when the server is to end; long polls end at once.
_LAST_SEC = 30
#: Proxies keep a connection for a minute: the server must not be the first to end it.
_IDLE_SEC = 75
#: A database that restarts is waited for; one that has died is started again.
_DATABASE_SEC = 10.0


def serve(db_path: Path, settings: ServerSettings, *, in_foreground: bool = False) -> None:
    """Serve the active database until told to end; raises BalsamError where it cannot."""
    check_tables(db_path)
    policy.down_sec, policy.revive = _DATABASE_SEC, True
    listening = _listen(settings)
    app = create_app(settings)
    options = _encryption(db_path, settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=settings.log_requests,
        server_header=False,
        # whoever is not named here cannot say that a request comes from elsewhere
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=_IDLE_SEC,
        timeout_graceful_shutdown=_LAST_SEC,
        **options,
    )
    config.load()
    path = None if in_foreground else log_path(db_path)
    start_logging(path)
    scheme, port = "https" if options else "http", listening.getsockname()[1]
    tell(db_path, f"{scheme}://{shown_host(settings)}:{port}", str(path or "the terminal"))
    _Server(config, app).run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that lets who waits go before it waits for all requests to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._app.state.board.close()
        await super().shutdown(sockets)


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise ConflictError(
            f"Cannot listen on {settings.host}, port {settings.port}: {os.strerror(error.errno or 0)}. "
            "Give another --port or --host."
        ) from error


def _encryption(db_path: Path, settings: ServerSettings) -> dict[str, Any]:
    if settings.self_signed:
        from balsam.server.certificates import ensure_certificate

        certificate, key = ensure_certificate(db_path, certified_names(settings))
        return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    if settings.certificate:
        return {"ssl_certfile": settings.certificate, "ssl_keyfile": settings.key}
    return {}
