"""Link the files a job wants from its parents into its working directory.

Links are made in the order of the parents' creation, so names never depend on chance; doing it again
changes nothing, and nothing that exists is ever replaced.
"""

import itertools
import os
from collections.abc import Iterator

from balsam.exceptions import StepError
from balsam.lib.beneath import is_below
from balsam.processing.interruption import Interruption
from balsam.processing.patterns import matches_inside, words
from balsam.schemas.jobs import ParentDir, StepSpec, output_name

__all__ = ["link_parents"]

#: A job writes these itself; a link of that name would lead its output into its parent's.
_OWN_LOGS = ("preprocess.log", "postprocess.log")


def link_parents(spec: StepSpec, interruption: Interruption) -> list[str]:
    """Link every file and directory that ``input_files`` matches in a parent's working directory.

    A link has the name of what it leads to; where that is taken, or is one the job writes itself, it is
    followed by ``_<first 8 digits of the parent's id>``. Returns notes for the history.

    Raises StepError for a pattern that leads out of the parent's directory, and where a link cannot be made.
    """
    patterns = words(spec.input_files)
    unmatched = set(patterns) if spec.parents else set()
    own_names = {*_OWN_LOGS, output_name(spec.name)}
    for parent in spec.parents:
        for pattern in patterns:
            for target in _targets(parent, pattern, spec.workdir):
                interruption.check()
                unmatched.discard(pattern)
                _link(target, spec.workdir, parent.job_id[:8], own_names)
    return [f"{pattern!r} matches nothing in any parent" for pattern in patterns if pattern in unmatched]


def _targets(parent: ParentDir, pattern: str, workdir: str) -> Iterator[str]:
    """Yield what matches, but not the child's own directory or one that it is in."""
    own = os.path.realpath(workdir)
    if os.path.realpath(parent.workdir) == own:
        return
    for name in matches_inside(parent.workdir, pattern):
        target = os.path.join(parent.workdir, name)
        if not is_below(own, os.path.realpath(target)):
            yield target


def _link(target: str, workdir: str, suffix: str, own_names: set[str]) -> None:
    for name in _names(os.path.basename(target), suffix):
        path = os.path.join(workdir, name)
        if name in own_names or (os.path.lexists(path) and not _leads_to(path, target)):
            continue
        if not os.path.lexists(path):
            _make_link(target, path)
        return


def _names(name: str, suffix: str) -> Iterator[str]:
    yield name
    yield f"{name}_{suffix}"
    for count in itertools.count(2):
        yield f"{name}_{suffix}_{count}"


def _leads_to(path: str, target: str) -> bool:
    return os.path.islink(path) and os.readlink(path) == target


def _make_link(target: str, path: str) -> None:
    try:
        os.symlink(target, path)
    except OSError as error:
        raise StepError(
            f"Cannot link {target} as {path}: {os.strerror(error.errno or 0).lower()}. "
            "Mend that, then set the job's state to CREATED."
        ) from error
