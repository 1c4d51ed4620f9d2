"""scp over the user's ssh, for hosts without rsync: one run for each file, through one login."""

import os
import posixpath
import shutil
import time
from collections.abc import Callable

from balsam.platform.transfer import Answer, Batch, CommandLine, Desk, Move, Place, rsync, scp
from balsam.processing.copying import bytes_below
from balsam.processing.transfers.outcomes import no_room

__all__ = ["ByScp"]

_SSH_FAILED = 255
#: Between two looks at how much has come at the other end.
_LOOK_SEC = 10.0


class ByScp:
    """``scp:[USER@]HOST:PATH``."""

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Copy one move after the other."""
        for move in batch.moves:
            desk.check()
            if batch.direction == "in":
                self._bring(batch, move, desk)
            else:
                self._send(batch, move, desk)

    def _bring(self, batch: Batch, move: Move, desk: Desk) -> None:
        directory = os.path.join(desk.scratch, str(move.item_id))
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        command = scp.bring(batch.place, move, directory, desk.ssh_options())
        answer = desk.run(command, on_wait=lambda: desk.progress(move, bytes_below(directory)))
        found = sorted(os.listdir(directory))
        if answer.returncode == 0 and found:
            desk.arrived(move, [os.path.join(directory, name) for name in found])
        else:
            _tell(answer, move, desk)

    def _send(self, batch: Batch, move: Move, desk: Desk) -> None:
        for source in move.local:
            if not os.path.exists(source):
                desk.failed(move, f"There is no {source} to be taken out.", is_final=True)
                return
            if set("\r\n") & set(target := move.target_of(source)):
                desk.failed(move, f"scp takes no line break in a name: {target!r}.", is_final=True)
                return
        sending = _Sending(batch.place, move, desk)
        for source in move.local:
            answer = sending.send(source, move.target_of(source).rstrip("/").removeprefix("~/"))
            if answer.returncode:
                _tell(answer, move, desk)
                return
        desk.sent(move, sending.size_bytes)


class _Sending:
    """Sends what a move takes out, one file or directory after the other; ``size_bytes`` are there whole."""

    def __init__(self, place: Place, move: Move, desk: Desk) -> None:
        self.size_bytes = 0
        self._place = place
        self._move = move
        self._desk = desk
        self._total_bytes = sum(map(bytes_below, move.local))

    def send(self, source: str, target: str) -> Answer:
        """Send one, and give it its name when it is there; return how that ended."""
        place, run, ssh = self._place, self._desk.run, self._desk.ssh_options()
        temporary = scp.temporary_name(target, self._move.item_id)
        answer = run(scp.prepare(place, posixpath.dirname(target), ssh))
        if answer.returncode == 0:
            command = scp.send(place, self._move, os.path.realpath(source), temporary, ssh)
            answer = run(command, on_wait=self._looking(scp.look_at(place, temporary, ssh)))
        if answer.returncode == 0:
            answer = run(scp.place_at(place, temporary, target, ssh))
        if answer.returncode == 0:
            self.size_bytes += bytes_below(source)
        elif scp.is_unexplained(answer.stderr):
            room = run(scp.look_for_room(place, temporary, ssh))
            return room if room.returncode else answer
        return answer

    def _looking(self, command: CommandLine) -> Callable[[], None]:
        """Return what asks now and then how much has come, which scp itself tells a terminal only."""
        look_at = time.monotonic() + _LOOK_SEC

        def look() -> None:
            nonlocal look_at
            if time.monotonic() < look_at:
                return
            there = scp.bytes_in(self._desk.run(command).stdout)
            self._desk.progress(
                self._move, min(self.size_bytes + there, self._total_bytes), self._total_bytes
            )
            look_at = time.monotonic() + _LOOK_SEC

        return look


def _tell(answer: Answer, move: Move, desk: Desk) -> None:
    if rsync.is_disk_full(answer.stderr):
        raise no_room(f"No room is left: {answer.words}")
    if answer.returncode == _SSH_FAILED:
        desk.ssh_options()  # tells, where the connection is gone for good
    words = answer.words if answer.returncode else f"Nothing matches {move.remote!r} there."
    desk.failed(move, words, is_final=scp.is_missing(answer.stderr) or not answer.returncode)
