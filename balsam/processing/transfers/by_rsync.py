"""rsync over the user's ssh: one run for a whole batch, however many working directories it is for."""

import glob
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

from balsam.exceptions import StepError
from balsam.platform.transfer import Answer, Batch, Desk, Move, rsync
from balsam.processing.copying import bytes_below
from balsam.processing.transfers.arrivals import Arrivals, Following
from balsam.processing.transfers.links import links_out_of
from balsam.processing.transfers.outcomes import no_room
from balsam.processing.transfers.placing import pair_of_one_name

__all__ = ["ByRsync"]

_FINAL = ("No such file or directory", "Permission denied", "Not a directory", "Too many levels of symbolic")


class ByRsync:
    """``rsync:[USER@]HOST:PATH``."""

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Copy between the scratch directory and the other end, where paths are the same."""
        if batch.direction == "out":
            self._send(batch, desk)
            return
        for move in batch.moves:
            if not move.is_pattern and rsync.is_refused(move.remote):
                words = f"rsync brings no file whose name has wildcards and `\\`: {move.remote!r}. Take scp."
                desk.failed(move, words, is_final=True)
        listed = [move for move in batch.moves if not (move.is_pattern or rsync.is_refused(move.remote))]
        if listed:
            links = self._bring(batch, listed, desk, follows_links=False)
            if links:
                self._bring(batch, links, desk, follows_links=True)
        for move in batch.moves:
            if move.is_pattern:
                self._bring_pattern(batch, move, desk)

    def _bring(self, batch: Batch, moves: Sequence[Move], desk: Desk, *, follows_links: bool) -> list[Move]:
        """Bring what is named by itself; return the moves that brought nothing but a link."""
        listing = rsync.Listing(moves)
        _make_directory(desk.scratch, listing.top)
        command = rsync.bring(
            batch.place, listing, desk.scratch, desk.ssh_options(), follows_links=follows_links
        )
        arrivals = Arrivals(listing, desk)
        answer = desk.run(command, arrivals.line, arrivals.look)
        if listing.is_tree and answer.returncode == 0 and not follows_links:
            answer = self._follow(batch, listing.moves, desk.scratch, desk) or answer
        links = []
        for name, those in listing.deepest_first():
            if those[0].item_id in arrivals.placed:
                continue
            path = os.path.join(desk.scratch, name.rstrip("/"))
            if os.path.islink(path) and not follows_links:
                os.unlink(path)
                links += those
            else:
                self._hand_on(path, those, answer, desk, keeps=listing.is_in_another(name))
        self._tell(answer, moves, desk)
        return links

    def _hand_on(self, path: str, moves: Sequence[Move], answer: Answer, desk: Desk, *, keeps: bool) -> None:
        """Give what a run has brought to those it is for, or say why it has not come; ``keeps`` it here."""
        for move in moves:
            said = rsync.words_of(move.remote, answer.stderr) if answer.returncode else ""
            if _is_whole(move, path, answer) and not said:
                desk.arrived(move, [path], "move" if move is moves[-1] and not keeps else "copy")
            elif not _is_of_all(answer):
                desk.failed(move, said or _words(move, answer), is_final=_is_final(said))

    def _follow(
        self, batch: Batch, trees: dict[str, list[Move]], top: str, desk: Desk, *, itself: bool = False
    ) -> Answer | None:
        """Bring in their stead what links lead to that lead out of trees; None: there are no such links.

        ``trees`` have their names below ``top``; those that cannot be had are failed, and taken out.
        ``itself``: what is no tree but a link is followed too.
        """
        wanted: list[Move] = []
        for name, moves in list(trees.items()):
            path = name.rstrip("/")
            if os.path.islink(os.path.join(top, path)) and not itself:
                continue
            try:
                links = links_out_of(top, path)
            except StepError as error:
                for move in trees.pop(name):
                    desk.failed(move, str(error), is_final=True)
                continue
            start = rsync.start_of(moves[0].remote)
            wanted += [replace(moves[0], remote=start + link, recursive=True) for link in links]
        if not wanted:
            return None
        listing = rsync.Listing(wanted)
        return desk.run(rsync.bring(batch.place, listing, top, desk.ssh_options(), follows_links=True))

    def _bring_pattern(self, batch: Batch, move: Move, desk: Desk) -> None:
        directory = os.path.join(desk.scratch, f"pattern-{move.item_id}")
        os.makedirs(directory, exist_ok=True)
        command = rsync.bring_pattern(batch.place, move, directory, desk.ssh_options())
        answer = desk.run(command, on_wait=lambda: desk.progress(move, bytes_below(directory)))
        found = _names_like(move.remote, directory)
        if answer.returncode == 0:
            trees = {name: [move] for name in found}
            answer = self._follow(batch, trees, directory, desk, itself=True) or answer
            if len(trees) < len(found):
                return
            if pair := pair_of_one_name(found):
                both = " and ".join(pair)
                words = f"{move.remote} matches both {both}, which would have one name here. "
                desk.failed(move, words + "Name the directories that hold them.", is_final=True)
                return
        if answer.returncode == 0 and found:
            desk.arrived(move, [os.path.join(directory, name) for name in found])
        elif not _is_of_all(answer):
            words = answer.words if answer.returncode else f"Nothing matches {move.remote!r} there."
            desk.failed(move, words, is_final=_is_final(words) or not answer.returncode)
        self._tell(answer, [move], desk)

    def _send(self, batch: Batch, desk: Desk) -> None:
        top = os.path.join(desk.scratch, "out")
        shutil.rmtree(top, ignore_errors=True)
        sizes: dict[int, int] = {}
        names: dict[str, Move] = {}
        for move in batch.moves:
            desk.check()
            missing = [path for path in move.local if not os.path.exists(path)]
            if missing:
                desk.failed(move, f"There is no {missing[0]} to be taken out.", is_final=True)
                continue
            sizes[move.item_id] = 0
            for source in move.local:
                target = move.target_of(source)
                name = rsync.relative(target.rstrip("/"))
                sizes[move.item_id] += _link_tree(source, top, name)
                names[name] = move
        moves = [move for move in batch.moves if move.item_id in sizes]
        if not names:
            for move in moves:
                desk.sent(move, 0)
            return
        start = rsync.start_of(moves[0].remote)
        command = rsync.send(batch.place, list(names), top, desk.ssh_options(), start=start)
        answer = desk.run(command, Following(names, sizes, desk).line)
        for move in moves:
            said = rsync.words_of(move.remote, answer.stderr) if answer.returncode else ""
            if answer.returncode == 0:
                desk.sent(move, sizes[move.item_id])
            elif not _is_of_all(answer):
                desk.failed(move, said or answer.words, is_final=_is_final(said))
        self._tell(answer, moves, desk)

    def _tell(self, answer: Answer, moves: Sequence[Move], desk: Desk) -> None:
        """Raise TransferWait for what concerns no single file; fail the rest when trying again may help."""
        if answer.returncode == 0:
            return
        if rsync.is_disk_full(answer.stderr):
            raise no_room(f"No room is left: {answer.words}")
        if rsync.is_lost(answer.returncode, answer.stderr):
            desk.ssh_options()  # tells, where the connection is gone for good
            raise ConnectionError(answer.words)


def _is_of_all(answer: Answer) -> bool:
    return answer.returncode != 0 and (
        rsync.is_disk_full(answer.stderr) or rsync.is_lost(answer.returncode, answer.stderr)
    )


def _is_whole(move: Move, path: str, answer: Answer) -> bool:
    """Say whether what is there is all of it: files appear at once, trees bit by bit."""
    if not os.path.lexists(path):
        return False
    return answer.returncode == 0 or (not move.recursive and not os.path.isdir(path))


def _words(move: Move, answer: Answer) -> str:
    if answer.returncode:
        return answer.words
    return f"{move.remote} is no file. A directory needs recursive=True in its slot."


def _is_final(words: str) -> bool:
    return any(text in words for text in _FINAL)


def _make_directory(scratch: str, below: str) -> None:
    path = os.path.join(scratch, below)
    try:
        os.makedirs(path, exist_ok=True)
    except (FileExistsError, NotADirectoryError):  # an earlier try has left a file of that name
        shutil.rmtree(scratch)
        os.makedirs(path)


def _names_like(pattern: str, directory: str) -> list[str]:
    """Return what has come for a pattern, which has as many parts: names below a directory."""
    stars = "/".join("*" for _ in rsync.relative(pattern).strip("/").split("/"))
    found = glob.glob(stars, root_dir=directory, include_hidden=True)
    return sorted(name for name in found if os.path.basename(name) != ".rsync-partial")


def _link_tree(source: str, top: str, name: str) -> int:
    """Have a file or directory appear as ``name`` below another one, without copying where that can be.

    What is there already gives way, since it may be another job's: nothing is written through it.
    """
    target = os.path.join(top, name)
    _make_directories(top, os.path.dirname(name))
    if not os.path.isdir(source):
        return _link_file(os.path.realpath(source), target)
    size = 0
    for folder, folders, files in os.walk(source):
        below = os.path.normpath(os.path.join(name, os.path.relpath(folder, source)))
        _make_directories(top, below)
        there = os.path.join(top, below)
        shutil.copystat(folder, there)
        for one in (*files, *(one for one in folders if os.path.islink(os.path.join(folder, one)))):
            size += _link_file(os.path.join(folder, one), os.path.join(there, one))
    return size


def _make_directories(top: str, below: str) -> None:
    path = top
    os.makedirs(top, exist_ok=True)
    for part in below.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        os.makedirs(path, exist_ok=True)


def _link_file(source: str, target: str) -> int:
    """Have a file appear under another name too, or make the same link as one is."""
    if os.path.lexists(target):
        os.unlink(target)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return 0
    try:
        os.link(source, target)
    except OSError:  # on another file system, or somebody else's
        shutil.copy2(source, target)
    return os.stat(target).st_size
