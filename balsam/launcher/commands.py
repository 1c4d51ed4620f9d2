"""Turn what a user wrote as a job's command into the words of one process; pure text, nothing is run.

No shell ever reads the command: what stands in an argument stays one argument.
"""

import os.path
import re
import shlex
from typing import TYPE_CHECKING

from balsam.exceptions import JobStartError
from balsam.launcher.placement import Placement
from balsam.launcher.process_start import ProcessStart
from balsam.lib.command_templates import SHELL
from balsam.lib.own_python import with_own_python
from balsam.platform.gpus import mask_variables
from balsam.schemas.jobs import JobSpec
from balsam.schemas.python_calls import call_name
from balsam.schemas.resources import BALSAM_DIR

if TYPE_CHECKING:
    from balsam.launcher.mpi_commands import MpiCommands

__all__ = ["JobCommands", "split_command", "with_envscript"]

#: Commands that every shell splits at blanks and nowhere else.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./ \t\n-]*", re.ASCII)

#: Characters that every system passes on in one word: Linux takes 131,071 bytes.
_MAX_WORD = 32_000

#: ``$1`` is the envscript and the rest the command. The envscript sees no arguments, its own `set -e` and
#: `exit` count, and so does the exit code of its last command: other than 0, the command is not run.
_SOURCE = """\
balsam_envscript=$1; shift; balsam_command=("$@"); set --
balsam_stop() {
  echo "balsam: the envscript $balsam_envscript ended with exit code $1; the command was not run." >&2
  [ "$1" -ne 0 ] || exit 1
}
trap 'balsam_stop $?' EXIT
. "$balsam_envscript"
balsam_code=$?
if [ "$balsam_code" -ne 0 ]; then exit "$balsam_code"; fi
trap - EXIT
exec "${balsam_command[@]}"
"""


class JobCommands:
    """What one worker starts for its jobs.

    Jobs are started by the MPI launcher where there is one: ``mpi``. In serial mode, and where no MPI is
    installed, it is None, and jobs of one rank are started as they are. ``gpu_kind`` says which variables
    show a job its GPUs.
    """

    def __init__(self, mode: str, mpi: "MpiCommands | None" = None, gpu_kind: str = "cuda") -> None:
        self._is_serial = mode == "serial"
        self._mpi = mpi
        self._gpu_kind = gpu_kind

    @property
    def use_mpi(self) -> bool:
        """Whether the MPI launcher starts all jobs, also those of one rank."""
        return self._mpi is not None

    def start_of(self, spec: JobSpec, placement: Placement) -> ProcessStart:
        """Return the process that runs a job where it was placed.

        Raises JobStartError when the job has no command, or none that can be run here.
        """
        if spec.problem:
            raise JobStartError(spec.problem)
        argv = split_command(spec.command)
        files = _files_of(argv, spec)
        if spec.app_id:
            argv.append(os.path.join(spec.workdir, call_name(spec)))
        if self._mpi is not None:
            start = self._mpi.start_of(argv, spec, placement)
            argv, environ, cpu_ids = start.argv, start.environ, start.cpu_ids
        elif spec.num_ranks > 1:
            raise JobStartError(self._why_not_parallel(spec))
        else:
            environ = {**spec.environ, **mask_variables(self._gpu_kind, placement.gpu_ids[0])}
            cpu_ids = placement.cpu_ids[0] if spec.cpu_affinity != "none" else ()
        return ProcessStart(
            argv=with_envscript(argv, spec.envscript),
            workdir=spec.workdir,
            output=spec.output_name,
            environ=environ,
            cpu_ids=cpu_ids,
            attempt=spec.attempt,
            files=files,
        )

    def _why_not_parallel(self, spec: JobSpec) -> str:
        what = f"Cannot start {spec.name!r} with its {spec.num_ranks} ranks: "
        if self._is_serial:
            return what + "serial mode runs jobs of one rank. Use `balsam launcher --job-mode mpi`."
        return (
            what + "no MPI launcher was found on PATH. `pip install mpich`, or load the machine's MPI module "
            "before `balsam launcher`; then reset the job."
        )


def split_command(text: str) -> list[str]:
    """Split a command line as a shell would, with ``~`` for the home directory and nothing else expanded.

    Raises JobStartError for a command that is empty or has a quote without its partner.
    """
    try:
        words = text.split() if _PLAIN.fullmatch(text) else shlex.split(text)
    except ValueError as error:
        raise JobStartError(
            f"Cannot split the command {text!r}: {str(error).lower()}. "
            "Correct the application's executable or the job's args; `'` and `\"` come in pairs."
        ) from error
    if not words:
        raise JobStartError(
            "The job has no command: its application has no executable and the job has no args. "
            "Set one with `balsam modify APP executable /path/to/program --type apps`."
        )
    return with_own_python([os.path.expanduser(word) if word.startswith("~") else word for word in words])


def _files_of(argv: list[str], spec: JobSpec) -> dict[str, str]:
    """Put the text of a template into a file where it is longer than the system passes on in a command."""
    if len(argv[-1]) <= _MAX_WORD or argv[:-1] != [*SHELL, "-c"]:
        return {}
    name = f"{BALSAM_DIR}/{spec.job_id}.{spec.attempt}.sh"
    files = {name: argv[-1]}
    argv[-2:] = [os.path.join(spec.workdir, name)]
    return files


def with_envscript(argv: list[str], envscript: str) -> list[str]:
    """Source ``envscript`` in bash before the command, which replaces that bash when it succeeds."""
    if not envscript:
        return argv
    return ["bash", "-c", _SOURCE, "bash", os.path.expanduser(envscript), *argv]
