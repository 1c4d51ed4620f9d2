"""``/healthz``: whether the server and its database answer, for those who watch it; needs no login."""

import importlib.metadata

from django.db import connection
from fastapi import APIRouter

from balsam.server.connections import in_core

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz")
def health() -> dict[str, str]:
    """Say that all is well; 503 where the database does not answer."""
    in_core(_ask)
    return {"status": "ok", "version": importlib.metadata.version("balsam")}


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
