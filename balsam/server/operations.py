"""Routes of the operations that launchers and agents need, one for each of their table."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response

from balsam.core import operations
from balsam.core.sent_requests import once
from balsam.schemas.codec import decode_arguments, encode_reply
from balsam.schemas.operations import OPERATIONS
from balsam.server.accounts import AgentCaller
from balsam.server.connections import in_core

__all__ = ["add_routes"]


async def _body(request: Request) -> bytes:
    return await request.body()


def add_routes(app: FastAPI) -> None:
    """Add a route for each operation; the interactive page is about resources, and leaves them out."""
    router = APIRouter(prefix="/operations", include_in_schema=False)
    for name in OPERATIONS:
        router.post(f"/{name}", name=name)(_route(name))
    app.include_router(router)


def _route(name: str) -> Callable[..., Response]:
    def operate(
        caller: AgentCaller,
        body: Annotated[bytes, Depends(_body)],
        idempotency_key: Annotated[str, Header()] = "",
    ) -> Response:
        return Response(_operate(caller.id, name, body, idempotency_key[:64]), media_type="application/json")

    return operate


def _operate(account: int, name: str, body: bytes, key: str) -> bytes:
    arguments = decode_arguments(name, body)
    if not (key and OPERATIONS[name].makes):
        return encode_reply(in_core(lambda: operations.call_for(account, name, arguments)))

    def make() -> object:
        return msgspec.to_builtins(operations.call_for(account, name, arguments))

    return encode_reply(in_core(lambda: once(account, key, make)))
