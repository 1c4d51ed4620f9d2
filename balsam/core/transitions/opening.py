"""Open the transfers that jobs have come to: those given with them, and those that their columns ask for."""

import shlex
import uuid
from collections.abc import Mapping

from balsam.core import notices, sql
from balsam.core.models.transfer import TransferItem

__all__ = ["open_transfers"]


def open_transfers(
    sites_of_jobs: Mapping[uuid.UUID, int | None], direction: str, *, keeps_done: bool = False
) -> None:
    """Have the transfers of jobs done that have just come to wait for them; runs in their transaction.

    What a job says in its own columns becomes transfers here; with ``keeps_done`` those there are stay.
    """
    wanted = list(sites_of_jobs)
    ids = [str(job_id) for job_id in wanted]
    if not keeps_done:
        TransferItem.objects.filter(job_id__in=wanted, direction=direction, slot="").delete()
        TransferItem.objects.bulk_create(_of_columns(ids, direction))
    sql.run("open_transfers", ids=ids, direction=direction, keeps_done=keeps_done)
    notices.notify((notices.TRANSFERS, site_id) for site_id in set(sites_of_jobs.values()))


def _of_columns(ids: list[str], direction: str) -> list[TransferItem]:
    made = []
    for job_id, url_in, url_out, files_out in sql.fetch("staging_columns", ids=ids):
        if direction == "out" and not files_out.strip():
            continue
        for url in _words(url_in if direction == "in" else url_out):
            item = TransferItem(job_id=job_id, direction=direction, remote_path=url, recursive=True)
            item.local_path = "." if direction == "in" else files_out
            made.append(item)
    return made


def _words(text: str) -> list[str]:
    """Split at blanks; quotes keep a word with blanks together, where they are balanced."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
