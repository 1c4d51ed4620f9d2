"""The route that says why a job is where it is."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from balsam.server.accounts import Caller
from balsam.server.connections import call

__all__ = ["router"]

router = APIRouter(tags=["job"])


@router.get("/jobs/{number}/explanation", name="explain job")
def explanation(number: int, caller: Caller) -> dict[str, Any]:
    """Say why a job is in its state, what decides that, and what comes next."""
    return asdict(call("resources.explain_job", caller.id, number))
