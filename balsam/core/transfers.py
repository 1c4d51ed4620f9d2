"""Hand out transfers to whoever moves files: what is to go where, for jobs that wait for it."""

import json

from balsam.core import sql
from balsam.core.active import database_id
from balsam.core.retrying import retrying
from balsam.core.workdirs import site_root, workdir_of
from balsam.schemas.sessions import session_mark
from balsam.schemas.transfers import TransferClaim, TransferClaimRequest, TransferSpec

__all__ = ["claim_transfers"]


@retrying
def claim_transfers(request: TransferClaimRequest) -> TransferClaim:
    """Claim transfers that are to be done now, oldest first, and say when to ask again for others.

    What the session holds and does not know of, since the answer to an earlier claim was lost, is freed.
    """
    sql.run("free_transfers", session_id=request.session_id, known=list(request.held))
    rows = sql.fetch(
        "claim_transfers",
        session_id=request.session_id,
        limit=request.limit,
        workflow=request.workflow,
        site_id=request.site_id,
        tags=json.dumps(dict(request.tags)),
    )
    root = site_root(request.site_id) if rows else ""
    ((next_sec,),) = sql.fetch("next_transfer", site_id=request.site_id)
    mark = session_mark(database_id(), request.session_id)
    return TransferClaim(tuple(_spec(row, root) for row in sorted(rows)), next_sec, _unwanted(request), mark)


def _unwanted(request: TransferClaimRequest) -> tuple[int, ...]:
    if not request.held:
        return ()
    rows = sql.fetch("unwanted_transfers", session_id=request.session_id, known=list(request.held))
    return tuple(item_id for (item_id,) in rows)


def _spec(row: tuple[object, ...], root: str) -> TransferSpec:
    (item_id, job_id, attempts, failures, direction, slot, alias, location, remote_path, local_path,
     recursive, task_id, name, workflow, user_workdir, below_data) = row  # fmt: skip
    workdir = workdir_of(
        str(job_id), str(name), str(workflow), str(user_workdir), root, below_data=str(below_data)
    )
    return TransferSpec(
        item_id=int(str(item_id)),
        job_id=str(job_id),
        attempt=int(str(attempts)),
        failures=int(str(failures)),
        direction=str(direction),
        slot=str(slot),
        location_alias=str(alias),
        location=str(location),
        remote_path=str(remote_path),
        local_path=str(local_path),
        recursive=bool(recursive),
        workdir=workdir,
        data_path=f"{root}/data",
        task_id=str(task_id),
    )
