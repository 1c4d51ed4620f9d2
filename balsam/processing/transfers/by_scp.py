"""scp over the user's ssh, for hosts without rsync: one run for each file, through one login."""

import os
import posixpath
import shutil

from balsam.exceptions import TransferWait
from balsam.platform.transfer import Answer, Batch, Desk, Move, rsync, scp
from balsam.processing.copying import bytes_below
from balsam.processing.transfers.outcomes import NO_ROOM

__all__ = ["ByScp"]

_SSH_FAILED = 255


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
        size = 0
        for source in move.local:
            target = move.target_of(source)
            if not os.path.exists(source):
                desk.failed(move, f"There is no {source} to be taken out.", is_final=True)
                return
            if "\n" in target or "\r" in target:
                desk.failed(move, f"scp takes no line break in a name: {target!r}.", is_final=True)
                return
            answer = self._send_one(batch, move, source, target.rstrip("/"), desk)
            if answer.returncode:
                _tell(answer, move, desk)
                return
            size += bytes_below(source)
        desk.sent(move, size)

    def _send_one(self, batch: Batch, move: Move, source: str, target: str, desk: Desk) -> Answer:
        ssh = desk.ssh_options()
        plain = target.removeprefix("~/")
        temporary = scp.temporary_name(plain, move.item_id)
        steps = (
            scp.prepare(batch.place, posixpath.dirname(plain), ssh),
            scp.send(batch.place, move, os.path.realpath(source), temporary, ssh),
            scp.place_at(batch.place, temporary, plain, ssh),
        )
        answer = Answer(0, "", "")
        for step in steps:
            answer = desk.run(step)
            if answer.returncode and scp.is_unexplained(answer.stderr):
                room = desk.run(scp.look_for_room(batch.place, temporary, ssh))
                return room if room.returncode else answer
            if answer.returncode:
                return answer
        return answer


def _tell(answer: Answer, move: Move, desk: Desk) -> None:
    if rsync.is_disk_full(answer.stderr):
        raise TransferWait(f"No room is left: {answer.words}\n{NO_ROOM}")
    if answer.returncode == _SSH_FAILED:
        desk.ssh_options()  # tells, where the connection is gone for good
    words = answer.words if answer.returncode else f"Nothing matches {move.remote!r} there."
    desk.failed(move, words, is_final=scp.is_missing(answer.stderr) or not answer.returncode)
