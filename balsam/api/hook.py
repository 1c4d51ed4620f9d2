"""``python -m balsam.api.hook preprocess|postprocess``: run what a class overrides, for its job.

Started in the working directory of the job. What the method says of the job is sent when it has ended; one
that raises fails the job. What it prints goes to ``balsam.log``.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from balsam.api.application import ApplicationDefinition
from balsam.api.current_job import current_job, instance_for
from balsam.api.models import Job
from balsam.exceptions import BalsamError
from balsam.schemas.resources import PREAMBLE_FILE
from balsam.states import JobState as S

__all__ = ["main"]

#: State of the job -> method to run, and where the job goes then; None: where it goes anyway.
_METHODS: Mapping[str, tuple[str, S | None]] = {
    S.STAGED_IN: ("preprocess", None),
    S.RUN_DONE: ("postprocess", None),
    S.RUN_ERROR: ("handle_error", S.FAILED),
    S.RUN_TIMEOUT: ("handle_timeout", S.RESTART_READY),
}


def main() -> int:
    """Run the method that the state of the job asks for; return the exit code."""
    job = current_job()
    before = job.state
    if before not in _METHODS:  # somebody has moved it since its step began
        return 0
    method, default = _METHODS[before]
    with _logged(f"#BALSAM Running {method} for Job {job.id}"):
        try:
            app = instance_for(job)
            getattr(app, method)()
            if default is not None and job.state == before:
                job.state = default
            _write_preamble(app)
            job.save()
        except Exception as error:
            traceback.print_exc()
            _fail(job.id, method, error)
            raise
    return 0


def _write_preamble(app: ApplicationDefinition) -> None:
    """Keep the commands that are to run before the job, where it will look for them."""
    if "shell_preamble" not in app.overridden_hooks():
        return
    preamble = app.shell_preamble() or ""
    text = preamble if isinstance(preamble, str) else " && ".join(preamble)
    path = Path(PREAMBLE_FILE)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{text}\n")


def _fail(number: int, method: str, error: Exception) -> None:
    """Fail the job, with the reason; what the method has changed in it is left out."""
    job = Job.objects.get(id=number)
    job.state = S.FAILED
    exception = f"{type(error).__name__}: {error}"
    job.state_data = {"message": f"{method} raised {exception}", "exception": exception}
    job.save()


@contextmanager
def _logged(heading: str) -> Iterator[None]:
    """Send what this process and those it starts print to the end of ``balsam.log``."""
    before = os.dup(1), os.dup(2)
    with open("balsam.log", "a", encoding="utf-8") as log:
        print(heading, file=log, flush=True)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in enumerate(before, start=1):
            os.dup2(saved, number)
            os.close(saved)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BalsamError as problem:
        sys.exit(str(problem))
