"""Where files are until they are whole: directories beside the working directories, one user each at a time.

What a batch leaves there that was ended (by its connection, or with its process) is gone on from by the next.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from balsam.lib.file_locks import file_lock

__all__ = ["Lane", "drop_old", "lane_for"]

_NAME = ".balsam-transfers"
_MOST = 256
_OLD_SEC = 14 * 86_400


class Lane:
    """One such directory, while it is locked; ``is_over`` says that nothing in it will be wanted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_over = False


@contextmanager
def lane_for(data_path: str, what: str) -> Iterator[Lane]:
    """Give a lane for transfers of one kind; raises OSError where none can be made."""
    top = Path(data_path, _NAME)
    top.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = sha256(os.fsencode(what)).hexdigest()[:12]
    with ExitStack() as stack:
        lane = Lane(_locked(stack, top, digest))
        lane.path.mkdir(mode=0o700, exist_ok=True)
        try:
            yield lane
        finally:
            if lane.is_over:
                shutil.rmtree(lane.path, ignore_errors=True)


def _locked(stack: ExitStack, top: Path, digest: str) -> Path:
    for number in range(_MOST):
        path = top / f"{digest}-{number}"
        try:
            stack.enter_context(file_lock(path.with_suffix(".lock"), 0.0))
        except TimeoutError:
            continue
        return path
    raise OSError(f"{_MOST} transfers of one kind are under way in {top}")


def drop_old(data_path: str) -> None:
    """Delete what nobody has gone on from for two weeks."""
    top = Path(data_path, _NAME)
    for path in top.glob("*-*") if top.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and path.stat().st_mtime < time.time() - _OLD_SEC:
            shutil.rmtree(path, ignore_errors=True)
