"""Run the preprocess or postprocess command of a job.

A hook inherits this process's environment, overlaid by the job's. When `run_hook` returns or raises, the hook
has ended, and what it left behind in its process group has been killed.
"""

import errno
import os
import signal
from dataclasses import dataclass

from balsam.exceptions import StepError
from balsam.processing.hook_log import HookLog
from balsam.processing.hook_process import HookProcess
from balsam.processing.interruption import GRACE_SEC, Interruption
from balsam.processing.programs import find_program, is_text, split_command
from balsam.schemas.jobs import StepSpec

__all__ = ["HOOK_TIMEOUT_SEC", "POSTPROCESS", "PREPROCESS", "HookKind", "run_hook"]

#: A hook that takes longer is ended.
HOOK_TIMEOUT_SEC = 300.0
#: The machine is short of processes or memory, or somebody is writing the program: worth another try.
_TRANSIENT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY)
_START_PAUSES_SEC = (0.1, 0.4, 1.6, 6.4)


@dataclass(frozen=True, slots=True)
class HookKind:
    """Which hook of an application, and how many last lines of its log tell why it failed."""

    name: str
    tail_lines: int

    @property
    def log_name(self) -> str:
        """File in the working directory that receives its output."""
        return f"{self.name}.log"


PREPROCESS = HookKind("preprocess", 16)
POSTPROCESS = HookKind("postprocess", 30)


def run_hook(
    kind: HookKind,
    command: str,
    spec: StepSpec,
    interruption: Interruption,
    *,
    timeout_sec: float = HOOK_TIMEOUT_SEC,
    note: str = "",
) -> None:
    """Run a hook in the job's working directory and wait for it; ``note`` becomes a line of its log.

    Raises StepError when it cannot be started, fails or takes too long, and StepInterrupted when the step was
    told to end. A blank command is done at once.
    """
    argv = split_command(command)
    if not argv:
        return
    comments = [f"{kind.name} of job {spec.job_id} [{spec.name}]: {command}", *([note] if note else [])]
    with HookLog(spec.workdir, kind.log_name, comments) as log:
        hook = _start(argv, spec, log, interruption)
        has_ended = hook.wait(timeout_sec)
        if not has_ended:
            hook.end(interruption.grace_sec if interruption.is_set else GRACE_SEC)
        return_code = hook.collect()
        if not has_ended:
            interruption.check()
            raise StepError(
                _text(f"The {kind.name} took longer than {timeout_sec:g} s and was ended", kind, log)
            )
        if return_code != 0:
            raise StepError(_text(f"The {kind.name} {_ending(return_code)}", kind, log))


def _start(argv: list[str], spec: StepSpec, log: HookLog, interruption: Interruption) -> HookProcess:
    """Start the hook; a script without a ``#!`` line is given to the shell, as a shell does."""
    environ = {**os.environ, "PWD": spec.workdir, **spec.environ}
    program = find_program(argv[0], environ, spec.workdir)
    pauses = list(_START_PAUSES_SEC)
    while True:
        interruption.check()
        try:
            return HookProcess(
                argv,
                program=program,
                workdir=spec.workdir,
                environ=environ,
                output=log.fileno(),
                interruption=interruption,
            )
        except OSError as error:
            if error.errno == errno.ENOEXEC and is_text(program):
                argv, program = ["/bin/sh", program, *argv[1:]], "/bin/sh"
            elif error.errno in _TRANSIENT and pauses:
                interruption.wait(pauses.pop(0))
            else:
                raise StepError(_unstartable(argv, program, error)) from error
        except ValueError as error:
            raise StepError(
                f"Cannot start {argv[0]!r}: {error}. Correct the hook, or the job's environ_vars."
            ) from error


def _unstartable(argv: list[str], program: str, error: OSError) -> str:
    cause, advice = os.strerror(error.errno or 0).lower(), "Mend that, then run the job again."
    if error.errno == errno.ENOENT and os.path.isfile(program):
        cause = "the interpreter that its first line names does not exist"
        advice = "Correct that line (its end, too: no carriage return)."
    return f"Cannot start {argv[0]!r} ({program}): {cause}. {advice}"


def _ending(return_code: int | None) -> str:
    if return_code is None:
        return "does not end"
    if return_code < 0:
        return f"was killed by {_signal_name(-return_code)}"
    return f"exited with {return_code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _text(what: str, kind: HookKind, log: HookLog) -> str:
    tail = log.tail(kind.tail_lines)
    if not tail:
        return f"{what}; it printed nothing (log: {log.path})."
    lines = "\n".join(f"    {line}" for line in tail.splitlines())
    return f"{what}. The end of {log.path}:\n{lines}"
