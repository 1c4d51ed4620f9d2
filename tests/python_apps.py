"""Python applications for tests of workers: without a database, as a launcher would tell of them."""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from balsam.api import ApplicationDefinition
from balsam.api.serializing import dump_class, load, load_exception
from balsam.schemas.jobs import AppCode, JobSpec
from tests.worker_driver import Driver

RUN_APP = "-P -m balsam.api.run_app"


def app_of(run: Callable[..., Any], *, app_id: int = 1, version: int = 1) -> AppCode:
    """Make an application of a function that takes ``self``."""
    body = {"site": 1, "run": run, "__module__": run.__module__}  # whose code goes along
    made = type("Made", (ApplicationDefinition,), body)
    return AppCode(
        app_id=app_id, version=version, name="Made", site_id=1, serialized_class=dump_class(made, "")
    )


def teach(driver: Driver, code: AppCode) -> None:
    """Tell a worker of an application."""
    driver.tell("app", app=asdict(code))


def python_job(
    driver: Driver,
    job_id: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    app_id: int = 1,
    python: str = sys.executable,
    **more: Any,
) -> JobSpec:
    """A job of a Python application."""
    environ = {"BALSAM_JOB_ID": job_id, "BALSAM_PARENT_IDS": "[]", **more.pop("environ", {})}
    record = {
        "id": 7,
        "num_nodes": 1,
        "ranks_per_node": more.get("ranks_per_node", 1),
        "parameters": dict(parameters or {}),
        "serialized_parameters": "",
        "state": "RUNNING",
    }
    command = f"{shlex.quote(python)} {RUN_APP}"
    return driver.spec(job_id, command, app_id=app_id, record=record, environ=environ, **more)


def value_of(driver: Driver, job_id: str, attempt: int = 1) -> Any:
    """What a job returned; raises what it raised."""
    value, exception = driver.outcomes[job_id, attempt]
    if exception:
        raise load_exception(exception)
    assert value, f"{job_id} has left nothing: {driver.output(job_id)}"
    return load(value)
