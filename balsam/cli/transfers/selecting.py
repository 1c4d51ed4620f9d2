"""Which transfers: the options of all verbs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from balsam.cli.selection import key_values, site_filter, site_option
from balsam.exceptions import NotFoundError, UsageError
from balsam.states import TransferState

if TYPE_CHECKING:
    from balsam.api.models import TransferItem

__all__ = ["selected", "selection", "transfer_filters"]

_STATES = [str(state) for state in TransferState]
F = TypeVar("F", bound=Callable[..., Any])


def selection(function: F) -> F:
    """Add the options that select transfers."""
    for option in reversed(
        (
            click.argument("ids", type=int, nargs=-1),
            click.option("-j", "--job", "jobs", type=int, multiple=True, help="Transfers of this job."),
            click.option(
                "--state", type=click.Choice(_STATES), multiple=True, help="In this state."
            ),
            click.option("--direction", type=click.Choice(["in", "out"]), help="In this direction."),
            click.option(
                "-t", "--tag", "tags", multiple=True, metavar="KEY=VALUE", callback=key_values,
                help="Of jobs with this tag.",
            ),
        )
    ):  # fmt: skip
        function = option(function)
    return site_option(function)


def transfer_filters(
    *,
    ids: tuple[int, ...],
    jobs: tuple[int, ...],
    state: tuple[str, ...],
    direction: str | None,
    tags: dict[str, str],
    site: str,
) -> dict[str, Any]:
    """Return the filters these options mean."""
    given: dict[str, Any] = {
        "id": list(ids), "job_id": list(jobs), "state": list(state), "direction": direction, "tags": tags,
    }  # fmt: skip
    where = {} if ids or jobs else site_filter(site)
    return {**where, **{name: value for name, value in given.items() if value}}


def selected(options: dict[str, Any]) -> "list[TransferItem]":
    """Return the transfers that are to be changed; raises UsageError without any option, NotFoundError."""
    from balsam.api.models import TransferItem

    if not any(value for name, value in options.items() if name != "site"):
        raise UsageError("Which transfers? Give their numbers, or --job, --state or --tag.")
    found = list(TransferItem.objects.filter(**transfer_filters(**options)))
    if not found:
        which = f" that is {' or '.join(options['state'])}" if options["state"] else ""
        raise NotFoundError(f"There is no such transfer{which}. `balsam transfer ls --all` lists all.")
    return found
