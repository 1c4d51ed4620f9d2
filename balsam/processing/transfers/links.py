"""Links in what rsync has brought: those that lead out of it have brought nothing yet."""

import os
from collections.abc import Iterator

from balsam.exceptions import StepError
from balsam.lib.beneath import is_below

__all__ = ["links_out_of"]


def links_out_of(top: str, name: str) -> list[str]:
    """Return the links of a tree that lead out of it, or the one that it is itself; relative to ``top``.

    Raises StepError for one that leads to a directory it is in itself: what that holds has no end.
    """
    tree = os.path.join(top, name)
    found = []
    for path in _links(tree):
        leads_to = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        if path != tree and is_below(leads_to, tree):
            continue
        link = os.path.relpath(path, top)
        if path.startswith(f"{leads_to}/"):
            raise StepError(f"/{link} is a link to a directory that holds it. Leave the link out.")
        found.append(link)
    return found


def _links(tree: str) -> Iterator[str]:
    if os.path.islink(tree):
        yield tree
        return
    for folder, folders, files in os.walk(tree):
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            if os.path.islink(path):
                yield path
