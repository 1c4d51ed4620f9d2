"""What can be done with a session besides making and deleting it: take jobs, and renew the lease."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header

from balsam.schemas.acquisition import AcquireRequest
from balsam.schemas.fields import Record
from balsam.server.accounts import Caller
from balsam.server.connections import call

__all__ = ["router"]

router = APIRouter(prefix="/sessions", tags=["session"])


@router.post("/{number}", name="acquire jobs")
def acquire(
    number: int,
    caller: Caller,
    body: Annotated[dict[str, Any], Body()],
    idempotency_key: Annotated[str, Header()] = "",
) -> list[Record]:
    """Take jobs for a session, and renew its lease.

    A request that is sent again with the same Idempotency-Key takes nothing new.
    """
    request = AcquireRequest.from_wire(body)
    found: list[Record] = call("resources.acquire", caller.id, number, request, idempotency_key[:64])
    return found


@router.put("/{number}", status_code=204, name="renew session")
def tick(number: int, caller: Caller) -> None:
    """Renew the lease of a session."""
    call("resources.tick", caller.id, number)
