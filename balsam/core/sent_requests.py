"""Requests that make something and may come twice, since a reply can be lost: both have the same reply."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from balsam.core.models import SentRequest

__all__ = ["forget_old_requests", "once"]

#: Nobody sends a request again after so long.
_KEPT = timedelta(days=1)


def once(caller: int | None, key: str, work: Callable[[], Any]) -> Any:
    """Do ``work`` and return its reply, a JSON value; for a key that was seen before, only the reply of then.

    Both are committed together. Without a key the work is done in any case.
    """
    if not key:
        return work()
    owner: Any = caller  # None is an owner, too
    with transaction.atomic():
        sent, is_new = SentRequest.objects.get_or_create(account_id=owner, key=key)
        if is_new:
            sent.reply = work()
            sent.save(update_fields=["reply"])
        return sent.reply


def forget_old_requests() -> int:
    """Delete what nobody asks for any more; return how many."""
    return SentRequest.objects.filter(created__lt=Now() - _KEPT).delete()[0]
