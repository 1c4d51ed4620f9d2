"""Go through everything Balsam needs of a batch system, and report what it does not do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from balsam.lib.commands import run_command
from balsam.platform.scheduler import Cancellation
from balsam.selftest.dialogue import Dialogue, Failure
from balsam.states import BatchJobEnd

__all__ = ["Finding", "Rehearsal"]

#: No queue has this name.
_NO_QUEUE = "balsam-nonesuch"


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check; ``advice`` says what to do about a failure."""

    check: str
    is_ok: bool
    words: str = ""
    advice: str = ""


class Rehearsal:
    """One run of all checks."""

    def __init__(self, dialogue: Dialogue, report: Callable[[Finding], None]) -> None:
        self._dialogue = dialogue
        self._adapter = dialogue.adapter
        self._report = report
        self._is_ok = True

    def run(self) -> bool:
        """Run the checks, as far as they can be; return whether all went well."""
        with self._check("The listing can be read") as words:
            words.append(f"{len(self._dialogue.listing().jobs)} batch jobs of yours")
        if not self._is_ok:
            return False
        try:
            self._life()
            self._cancellation()
            self._refusal()
            self._machine()
        finally:
            with self._check("Nothing is left behind"):
                left = self._dialogue.leave_nothing()
                if left:
                    raise Failure(f"still there: {', '.join(left)}", "Cancel these batch jobs by hand.")
        return self._is_ok

    @contextmanager
    def _check(self, what: str) -> Iterator[list[str]]:
        """Report how the block went, with the words it has added to the list."""
        words: list[str] = []
        try:
            yield words
        except Failure as failure:
            self._is_ok = False
            self._report(Finding(what, False, str(failure), failure.advice))
        else:
            self._report(Finding(what, True, " ".join(words)))

    def _life(self) -> None:
        number = ""
        with self._check("A batch job is taken") as words:
            number = self._dialogue.submitted("a")
            words.append(f"id {number}")
        if not number:
            return
        with self._check("It is listed under its name") as words:
            job, name = self._dialogue.listed(number), self._dialogue.name("a")
            if self._adapter.lists_names and job.name != name:
                raise Failure(f"it is listed as {job.name!r}, not {name!r}", "Names are to be shown in full.")
            words.append(f"{job.name}, queue {job.queue or 'unknown'}")
        is_running = False
        with self._check("It runs") as words:
            words.append(self._dialogue.running(number).native_state)
            is_running = True
        if is_running:
            self._inside(number)
        self._dialogue.path("a", "go").touch()
        with self._check("Its end is told") as words:
            words.append(self._end(number, BatchJobEnd.COMPLETED))

    def _inside(self, number: str) -> None:
        with self._check("It knows its own id") as words:
            path = self._dialogue.path("a", "env")
            self._dialogue.wait(path.exists, f"{path} is not written", "Do the nodes see this directory?")
            lines = path.read_text(errors="replace").splitlines()
            found = self._adapter.allocation(dict(line.partition("=")[::2] for line in lines))
            if found is None or found.scheduler_id != number:
                raise Failure(
                    f"its environment says {found}", "The id is in a variable that Balsam does not know."
                )
            words.append(found.scheduler_id)
        with self._check("The time left is told") as words:
            command = self._adapter.time_left_command(number)
            if command is None:
                return
            answer = run_command(command)
            left = self._adapter.parse_time_left(answer)
            if left is None:
                raise Failure(answer.words, "Give launchers --time-limit-minutes in the job template.")
            words.append(f"{left:.0f} min")

    def _cancellation(self) -> None:
        with self._check("A batch job is cancelled") as words:
            number = self._dialogue.submitted("b")
            self._dialogue.listed(number)
            done, said = self._dialogue.cancel(number)
            if done is not Cancellation.ACCEPTED:
                raise Failure(said, f"Cancel batch job {number} by hand, and see what is said.")
            words.append(self._end(number, BatchJobEnd.CANCELLED))

    def _end(self, number: str, expected: BatchJobEnd) -> str:
        end, native = self._dialogue.ended(number)
        if self._adapter.keeps_history and end is not expected:
            raise Failure(
                f"{end} ({native}) where {expected} was to be", "Balsam will report such ends wrongly."
            )
        return native

    def _refusal(self) -> None:
        with self._check("A refusal is understood") as words:
            submission, said = self._dialogue.submit("c", queue=_NO_QUEUE)
            if submission.is_unknown:
                advice = (
                    "Balsam cannot tell a refusal from a lost answer here, and will look for the batch job."
                )
                raise Failure(f"for the queue {_NO_QUEUE}: {said}", advice)
            words.append(submission.refused.strip().rpartition("\n")[2] or "it takes any queue")

    def _machine(self) -> None:
        """Tell what is known of idle nodes and projects; that there are none is no failure."""
        with self._check("Idle nodes can be asked for") as words:
            command = self._adapter.backfill_command()
            windows = self._adapter.parse_backfill(run_command(command)) if command else {}
            words.append(
                ", ".join(f"{queue}: {w[0].num_nodes}" for queue, w in windows.items() if w) or "none"
            )
