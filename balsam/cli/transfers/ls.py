"""`balsam transfer ls` and `show`: which files are moved, how fast, and what is in the way."""

from typing import TYPE_CHECKING, Any

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.cli.transfers.selecting import selection, transfer_filters

if TYPE_CHECKING:
    from balsam.api.models import TransferItem

_OPEN = ["pending", "active", "inactive", "error"]
_COLUMNS = [
    *(Column(name) for name in ("id", "job_id", "direction", "state", "remote", "local_path")),
    Column("bytes", lambda value: "" if value is None else _size(value)),
    Column("total", lambda value: "" if value is None else _size(value)),
    Column("rate", lambda value: "" if value is None else f"{_size(value)}/s"),
    Column("attempts"),
    Column("message", lambda value: value.splitlines()[0][:80] if value else ""),
]
_COUNTS = [Column("state"), Column("count")]


@click.command(
    cls=BalsamCommand,
    help="List transfers that are not done; with --all, all.",
    examples=["balsam transfer ls", "balsam transfer ls --job 7 --all", "balsam transfer ls --by-state"],
)
@selection
@click.option("-a", "--all", "is_all", is_flag=True, help="Those done, and those nobody waits for, too.")
@click.option("--by-state", is_flag=True, help="Count the transfers of each state.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="At most.")
@output_option
def ls(is_all: bool, by_state: bool, limit: int, output: OutputFormat, **options: Any) -> None:
    """List, or count."""
    from balsam.api.connection import client
    from balsam.api.models import TransferItem
    from balsam.schemas.resources import Query

    filters = transfer_filters(**options)
    if by_state:
        counts = client().count_resources("transfer", Query(filters=filters), "state")
        display([{"state": s, "count": n} for s, n in sorted(counts.items())], _COUNTS, output)
        return
    if not is_all and not options["ids"]:
        filters.setdefault("state", _OPEN)
    found = list(TransferItem.objects.filter(**filters)[:limit])
    if not found and output is OutputFormat.TABLE:
        click.echo("No transfer is open.  Use --all to list those that are done.", err=True)
    display([_row(item) for item in found], _COLUMNS, output)
    if len(found) == limit:
        click.echo(f"These are the first {limit}. -n N shows more.", err=True)


@click.command(
    cls=BalsamCommand,
    help="Show transfers in full.",
    examples=["balsam transfer show 12", "balsam transfer show --job 7"],
)
@selection
def show(**options: Any) -> None:
    """Show each as YAML."""
    from balsam.cli.transfers.selecting import selected

    for item in selected(options):
        click.echo(f"{item}---")


def _row(item: "TransferItem") -> dict[str, Any]:
    info = item.transfer_info
    size, took_sec = info.get("bytes"), info.get("seconds")
    where = f"{item.location_alias}:{item.remote_path}" if item.location_alias else item.remote_path
    return {
        **{name: getattr(item, name) for name in ("id", "job_id", "direction", "state", "local_path")},
        "remote": where,
        "bytes": size,
        "total": info.get("total"),
        "rate": round(size / took_sec) if size and took_sec else None,
        "attempts": item.attempts,
        "message": info.get("message", ""),
    }


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
