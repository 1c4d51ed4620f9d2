"""Files of this machine: copied, or linked where that is asked for."""

import os
import stat

from balsam.exceptions import StepError, StorageFullError
from balsam.lib.beneath import is_below, relative_parts
from balsam.platform.transfer import Batch, Desk, Move, Placing
from balsam.processing.copying import Copier, put, put_contents, size_of
from balsam.processing.interruption import Interruption
from balsam.processing.patterns import matches
from balsam.processing.transfers.outcomes import no_room
from balsam.processing.transfers.placing import opened

__all__ = ["ByCopy", "ByLink"]


class ByCopy:
    """``local:PATH``."""

    how: Placing = "copy"

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Copy what each move names."""
        for move in batch.moves:
            desk.check()
            try:
                if batch.direction == "in":
                    desk.arrived(move, _sources(move, self.how), self.how)
                else:
                    self._send(move, desk)
            except StorageFullError as error:
                raise no_room(error) from error
            except StepError as error:
                desk.failed(move, str(error), is_final=True)

    def _send(self, move: Move, desk: Desk) -> None:
        size, total = 0, size_of(move.local)
        for source in move.local:
            size += _send_one(move, source, desk, size, total)
        desk.sent(move, size)


class ByLink(ByCopy):
    """``link:PATH``: the working directory gets a link to it."""

    how: Placing = "link"

    def _send(self, move: Move, desk: Desk) -> None:
        raise StepError("Results cannot be linked to elsewhere: take `local:` instead of `link:`.")


def _sources(move: Move, how: Placing) -> list[str]:
    """Return what a move in names; raises StepError when there is nothing."""
    if move.is_pattern:
        found = [os.path.abspath(path) for path in matches(os.path.expanduser(move.remote))]
        if not found:
            raise StepError(
                f"Nothing to stage in: {move.remote!r} matches no file or directory on this machine. "
                "Correct the job's stage_in_url, then set its state to CREATED."
            )
    else:
        found = [move.remote]
    if len(found) == 1:
        _check_there(found[0], how)
    if move.top:
        top = os.path.realpath(move.top)
        for path in found:
            if not is_below(os.path.realpath(path), top):
                raise StepError(f"{path} leads out of {move.top}, to which the location is confined.")
    return found


def _check_there(path: str, how: Placing) -> None:
    """Raise StepError unless there is a file or directory, at the end of links too."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise StepError(f"Nothing to stage in: {path}: {error.strerror} on this machine.") from error
    if how == "copy" and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise StepError(f"Nothing to stage in: {path} is neither a file nor a directory.")


def _send_one(move: Move, source: str, desk: Desk, before: int, total: int) -> int:
    interruption = _Checks(desk)

    def tell(size_bytes: int) -> None:
        desk.progress(move, before + size_bytes, total)

    if move.is_directory:
        directory = os.path.expanduser(move.remote)
        if not os.path.isdir(directory):
            raise StepError(
                f"Cannot stage out to {move.remote!r}: {directory} is not an existing directory. "
                f"Make it with `mkdir -p {directory}`, then set the job's state to RUN_DONE."
            )
        copier = Copier(directory, interruption, progress=tell)
        copier.copy(source)
        return copier.size_bytes
    if os.path.isdir(source) and not move.recursive:
        raise StepError(f"{source} is a directory, and the slot is of a file: give it recursive=True.")
    remote = move.remote.rstrip("/") or "/"
    top = move.top or os.path.dirname(remote)
    parts = relative_parts(os.path.relpath(remote, top))
    copier = Copier(remote, interruption, stays_inside=bool(move.top), progress=tell)
    if not parts and not os.path.isdir(source):
        raise StepError(f"Cannot write the file {remote}: that is the directory of the location.")
    with opened(top, parts[:-1], remote) as directory_fd:
        if parts:
            copier.directory = os.path.dirname(remote)
            put(copier, source, directory_fd, parts[-1])
        else:
            put_contents(copier, source, directory_fd)
    return copier.size_bytes


class _Checks(Interruption):
    """The desk's word to end, as a copier asks for it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def check(self) -> None:
        """Raise StepInterrupted when the work is to end."""
        self._desk.check()
