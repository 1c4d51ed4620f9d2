"""Lists, counts, events and claims with a million jobs against the same with a thousand."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from balsam.core import claims, leases, resources
from balsam.core.models import Account, Site
from balsam.lib.processes import this_process
from balsam.schemas.resources import Query
from balsam.schemas.sessions import ClaimRequest, SessionRequest
from tests.benchmarks.figures import Figure
from tests.benchmarks.filling import fill
from tests.benchmarks.floors import timed, wall_ms
from tests.benchmarks.scratch import scratch_database
from tests.serving import client_file, log_in, served

FEW = 1_000
GOAL_RATIO = 2.0
_COMMANDS = {"by_state": ("job", "ls", "--by-state"), "first_page": ("job", "ls", "-n", "20")}
_TIMES = 7


def lists(jobs: int) -> Figure:
    """Measure at both sizes: the greatest ratio of one command's times is what counts."""
    few, many = times_with(FEW), times_with(jobs)
    ratios = {name: many[name] / few[name] for name in few}
    asked_for = max(ratio for name, ratio in ratios.items() if name.endswith("_ms"))
    return Figure(
        "lists",
        jobs,
        {**many, **{f"{name.rpartition('_')[0]}_ratio": ratio for name, ratio in ratios.items()}},
        floor={f"{name.rpartition('_')[0]}_of_{FEW}": value for name, value in few.items()},
        ratio=asked_for,
        goal=f"ratio <= {GOAL_RATIO:g}",
        is_reached=asked_for <= GOAL_RATIO,
    )


def times_with(jobs: int) -> dict[str, float]:
    """Measure with so many jobs: of commands in milliseconds, of calls in the core as well (``_msec``)."""
    with scratch_database() as directory:
        site = fill(jobs)
        found = {f"{name}_ms": wall_ms(["balsam", *words], _TIMES) for name, words in _COMMANDS.items()}
        found |= {
            f"{name}_msec": 1000 * min(timed(c) for _ in range(_TIMES)) for name, c in calls(site).items()
        }
        with over_http(directory / "db", site):
            for name, words in _COMMANDS.items():
                found[f"{name}_http_ms"] = wall_ms(["balsam", *words], _TIMES)
    return found


def calls(site: int) -> dict[str, Callable[[], object]]:
    """Return calls of the core: newest events, events of one kind, a claim of jobs that are given back."""

    def listed(resource: str, **filters: object) -> Callable[[], object]:
        query = Query(filters=filters, limit=100, counted=False)
        return lambda: resources.list_page(None, resource, query)

    def claim() -> None:
        me = this_process()
        request = SessionRequest(
            kind="launcher", host=me.host, boot_id=me.boot_id, pid=me.pid, start_time=me.start_time
        )
        session = leases.open_session(request).session_id
        taken = claims.claim(ClaimRequest(session_id=session, limit=5, site_id=site, max_nodes=1))
        assert len(taken) == 5
        leases.close(session)

    return {
        "events": listed("event"),
        "failures": listed("event", to_state="FAILED"),
        "tagged": listed("job", tags=["batch:7"]),
        "claim": claim,
    }


@contextmanager
def over_http(db_path: Path, site: int) -> Iterator[None]:
    """Have the commands reach the database over HTTP, as an account that owns the site."""
    variables = dict(os.environ)
    with served(db_path) as address:
        login = log_in(address, "bench")
        Site.objects.filter(pk=site).update(owner=Account.objects.get(username="bench"))
        os.environ["BALSAM_CLIENT_PATH"] = str(client_file(db_path.parent, login))
        del os.environ["BALSAM_DB_PATH"]
        try:
            counted = subprocess.run(["balsam", "job", "ls", "--by-state"], capture_output=True, check=True)
            assert b"JOB_FINISHED" in counted.stdout
            yield
        finally:
            os.environ.clear()
            os.environ.update(variables)
