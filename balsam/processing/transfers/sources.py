"""What a slot takes out: a file, or a directory where it is of one."""

import os

from balsam.exceptions import StepError
from balsam.platform.transfer import Move

__all__ = ["is_tree"]


def is_tree(move: Move, local: str) -> bool:
    """Say whether a directory is taken out; raises StepError where there is nothing, or it may not be one."""
    if not os.path.exists(local):
        raise StepError(f"There is no {local} to be taken out.")
    is_directory = os.path.isdir(local)
    if is_directory and not move.recursive:
        raise StepError(f"{local} is a directory, and the slot is of a file: give it recursive=True.")
    return is_directory
