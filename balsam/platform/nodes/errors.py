"""What is wrong where nodes are looked for in the wrong place."""

from balsam.exceptions import ConfigError

__all__ = ["outside_of_allocation"]


def outside_of_allocation(variable: str, scheduler: str) -> ConfigError:
    """Make the error that names the variable which every job of that scheduler has."""
    return ConfigError(
        f"Cannot find the nodes: there is no {variable}, so this is no allocation of {scheduler}. "
        "Start the launcher in one, by `balsam submit-launch`, or set WORKER_DETECTION_TYPE to auto."
    )
