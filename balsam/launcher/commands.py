"""Turn what a user wrote as a job's command into the words of one process; pure text, nothing is run.

No shell ever reads the command: what stands in an argument stays one argument.
"""

import os.path
import re
import shlex

from balsam.exceptions import JobStartError
from balsam.launcher.placement import Placement
from balsam.schemas.jobs import JobSpec

__all__ = ["JobCommands", "split_command", "with_envscript"]

#: Commands that every shell splits at blanks and nowhere else.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./ \t\n-]*", re.ASCII)

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
    """Commands of the jobs of one worker; ``mpirun`` names the MPI launcher, '' where there is none."""

    def __init__(self, mode: str, mpirun: str = "") -> None:
        self._mode = mode
        self._mpirun = mpirun

    def build(self, spec: JobSpec, placement: Placement) -> tuple[list[str], dict[str, str]]:
        """Return the words to execute and what they need in the environment.

        Raises JobStartError when the job has no command that can be run here.
        """
        if spec.problem:
            raise JobStartError(spec.problem)
        argv = split_command(spec.command)
        return with_envscript(argv, spec.envscript), placement.environ()


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
    return [os.path.expanduser(word) if word.startswith("~") else word for word in words]


def with_envscript(argv: list[str], envscript: str) -> list[str]:
    """Source ``envscript`` in bash before the command, which replaces that bash when it succeeds."""
    if not envscript:
        return argv
    return ["bash", "-c", _SOURCE, "bash", os.path.expanduser(envscript), *argv]
