"""Carry one batch: give it to its transport, and turn what comes of it into results, whatever happens."""

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence

from balsam.exceptions import (
    BalsamError,
    StepError,
    StepInterrupted,
    StepUnwanted,
    StorageFullError,
    TransferWait,
    UsageError,
)
from balsam.platform.transfer import Answer, CommandLine, Endpoint, Move, Placing, load_transport
from balsam.processing.copying import size_of
from balsam.processing.interruption import Interruption
from balsam.processing.transfers import commands
from balsam.processing.transfers.lanes import Lane, lane_for
from balsam.processing.transfers.logins import Logins
from balsam.processing.transfers.outcomes import (
    failed,
    given_up,
    handed_back,
    is_full,
    no_room,
    waiting_together,
)
from balsam.processing.transfers.placing import place_arrived
from balsam.processing.transfers.planning import Plan, as_batch
from balsam.schemas.transfers import TransferResult, TransferSpec
from balsam.states import TransferState as T

__all__ = ["Carrier"]

log = logging.getLogger(__name__)

#: Between two words of how much has come.
_PROGRESS_SEC = 1.0


class Carrier:
    """The desk of one batch. ``on_result`` is called for each transfer, once, from this thread.

    ``on_progress`` is called now and then for what is under way; ``on_notes`` with what others do of
    transfers, and returns once that is recorded. What is not wanted any more when it comes, since its job is
    gone or was begun anew, is put nowhere.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        logins: Logins,
        interruption: Interruption,
        on_result: Callable[[TransferResult], None],
        on_progress: Callable[[TransferResult], None],
        environ: Mapping[str, str],
        *,
        endpoint: Endpoint,
        on_notes: Callable[[Sequence[TransferResult]], None],
        is_wanted: Callable[[TransferSpec], bool],
    ) -> None:
        self.scratch = ""
        self.endpoint = endpoint
        self._plans = {one.spec.item_id: one for one in plans}
        self._left = dict(self._plans)
        self._batch = as_batch(plans)
        self._logins = logins
        self._interruption = interruption
        self._on_result = on_result
        self._on_progress = on_progress
        self._on_notes = on_notes
        self._is_wanted = is_wanted
        self._directories: dict[int, str] = {}
        self._environ = environ
        self._began = time.monotonic()
        #: When the first of a transfer came.
        self._since: dict[int, float] = {}
        #: Bytes of what is copied to its place.
        self._totals: dict[int, int] = {}
        self._told_at = self._began
        self._has_failed = False

    def carry(self) -> None:
        """Do the batch; every transfer of it has a result then, and nothing is raised."""
        what = f"{self._batch.direction} {self._batch.place}"
        try:
            transport = load_transport(self._batch.place.transport)
            with lane_for(next(iter(self._plans.values())).spec.data_path, what) as lane:
                self._carry_in(lane, transport.carry)
        except StepInterrupted:
            self._rest(handed_back, "Interrupted; it is begun again")
        except TransferWait as error:
            self._wait(error)
        except (StepError, UsageError) as error:
            self._rest(given_up, str(error))
        except OSError as error:
            if is_full(error):
                self._wait(no_room(error))
            else:
                self._rest(failed, str(error))
        except BalsamError as error:
            self._rest(failed, str(error))
        except Exception as error:
            log.exception("The transport of %s broke", what)
            self._rest(failed, f"The transport broke: {type(error).__name__}: {error}")
        else:
            self._rest(failed, "The transport said nothing of it")

    def _carry_in(self, lane: Lane, carry: Callable[..., None]) -> None:
        self.scratch = str(lane.path)
        try:
            carry(self._batch, self)
            lane.is_over = not self._has_failed
        except StepUnwanted:
            lane.is_over = True
            for path in self._directories.values():
                shutil.rmtree(path, ignore_errors=True)
            raise

    def _rest(self, result: Callable[[TransferSpec, str], TransferResult], words: str) -> None:
        """Tell one result of all that have none."""
        for one in list(self._left.values()):
            self._tell(result(one.spec, words))

    def _wait(self, error: TransferWait) -> None:
        """Have all that have no result wait for what is in the way."""
        self._rest(waiting_together(needs_you=error.needs_you), str(error))

    def _tell(self, result: TransferResult) -> None:
        if self._left.pop(result.item_id, None) is None:
            return
        if result.state in (T.DONE.value, T.ERROR.value) and result.item_id in self._directories:
            shutil.rmtree(self._directories[result.item_id], ignore_errors=True)
        self._on_result(result)

    # -- what a transport asks -----------------------------------------------------------------------

    def check(self) -> None:
        """Raise StepInterrupted when the work is to end."""
        self._interruption.check()

    def run(
        self,
        command: CommandLine,
        on_line: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Answer:
        """Run a program to its end."""
        return commands.run(command, self._interruption, self._environ, on_line, on_wait)

    def ssh_options(self) -> tuple[str, ...]:
        """Log in, if need be; raises TransferWait."""
        return self._logins.options(self._batch.place)

    def pause(self, seconds: float) -> None:
        """Let time pass; raises StepInterrupted as soon as the work is to end."""
        self._interruption.wait(seconds)

    def directory_of(self, move: Move) -> str:
        """Make a directory of a move's own, beside those of batches."""
        spec = self._plans[move.item_id].spec
        path = os.path.join(os.path.dirname(self.scratch), f"{spec.job_id}-{spec.item_id}")
        os.makedirs(path, mode=0o700, exist_ok=True)
        return self._directories.setdefault(spec.item_id, path)

    def note_task(self, moves: Sequence[Move], task_id: str) -> None:
        """Keep the name of a task that others do."""
        specs = [self._plans[move.item_id].spec for move in moves]
        self._on_notes(
            [
                TransferResult(item_id=s.item_id, attempt=s.attempt, state=T.ACTIVE.value, task_id=task_id)
                for s in specs
            ]
        )

    def progress(self, move: Move, size_bytes: int, total_bytes: int = 0) -> None:
        """Tell how much has come of a move."""
        now = time.monotonic()
        since = self._since.setdefault(move.item_id, now)
        if now < self._told_at + _PROGRESS_SEC or move.item_id not in self._left:
            return
        self._told_at = now
        spec = self._plans[move.item_id].spec
        self._on_progress(
            TransferResult(
                item_id=spec.item_id,
                attempt=spec.attempt,
                state=T.ACTIVE.value,
                size_bytes=size_bytes,
                total_bytes=total_bytes,
                took_sec=now - since,
            )
        )

    def arrived(self, move: Move, paths: Sequence[str], how: Placing = "move") -> None:
        """Put what has come to its place; raises TransferWait where there is no room."""
        spec = self._plans[move.item_id].spec
        if not self._is_wanted(spec):
            self._tell(given_up(spec, "Nobody wants it any more"))
            return
        try:
            size, notes = place_arrived(
                spec, paths, self._interruption, how, lambda size: self._copied(move, paths, size)
            )
        except StorageFullError as error:
            self._has_failed = True
            raise no_room(error) from error
        except StepError as error:
            self.failed(move, str(error), is_final=True)
        except OSError as error:
            if is_full(error):
                raise
            self.failed(move, f"Cannot put it into {spec.workdir}: {error}", is_final=False)
        else:
            self._tell(self._done(spec, size, notes))

    def _copied(self, move: Move, paths: Sequence[str], size_bytes: int) -> None:
        """Tell how much of what has come was copied to its place, which not all is."""
        if move.item_id not in self._totals:
            self._totals[move.item_id] = size_of(paths)
        self.progress(move, size_bytes, self._totals[move.item_id])

    def sent(self, move: Move, size_bytes: int) -> None:
        """Say that a move out is there, whole."""
        one = self._plans[move.item_id]
        self._tell(self._done(one.spec, size_bytes, one.notes))

    def failed(self, move: Move, words: str, *, is_final: bool) -> None:
        """Say why a move cannot be done."""
        self._has_failed |= not is_final
        spec = self._plans[move.item_id].spec
        self._tell(given_up(spec, words) if is_final else failed(spec, words))

    def _done(self, spec: TransferSpec, size: int, notes: Sequence[str]) -> TransferResult:
        return TransferResult(
            item_id=spec.item_id,
            attempt=spec.attempt,
            state=T.DONE.value,
            message="\n".join(notes),
            size_bytes=size,
            took_sec=time.monotonic() - self._since.get(spec.item_id, self._began),
        )
