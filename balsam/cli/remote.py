"""`balsam remote`: work with a database on another machine, through a tunnel."""

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand

if TYPE_CHECKING:
    from balsam.remote.registry import Remote

_COLUMNS = [
    Column(name) for name in ("name", "state", "destination", "host", "local_port", "is_watched", "trouble")
]
#: Action -> the words after it.
_WORDS = {
    "add": ("NAME", "user@host:/path/to/db"),
    "ls": (),
    "connect": ("NAME",),
    "disconnect": ("NAME",),
    "rm": ("NAME",),
}


@dataclass(frozen=True)
class Wishes:
    """Options for a connection; None: as before."""

    answer_with: str | None
    local_port: int | None
    check_sec: float | None

    def names(self) -> list[str]:
        """Name the options that were given, as they are typed."""
        given = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return [f"--{name.replace('_', '-')}" for name in given]

    def applied_to(self, remote: "Remote") -> "Remote":
        """Return the remote with what was asked for."""
        if self.answer_with is not None:
            remote = replace(remote, answer_with=self.answer_with)
        if self.local_port is not None:
            remote = replace(remote, local_port=self.local_port)
        return remote if self.check_sec is None else replace(remote, check_sec=self.check_sec)


@click.command(
    cls=BalsamCommand,
    help="Work with a database on another machine.",
    examples=[
        "balsam remote add theta msalim@theta.alcf.anl.gov:/path/to/testdb",
        ". balsamactivate theta",
        "balsam remote ls",
        "balsam remote connect theta",
        "balsam remote disconnect theta",
    ],
)
@click.argument("action", type=click.Choice(list(_WORDS)))
@click.argument("words", nargs=-1, metavar="[NAME [user@host:/path/to/db]]")
@click.option("--answer-with", metavar="PROGRAM", help="Let a program answer what ssh asks ('': you).")
@click.option("--local-port", type=click.IntRange(0, 65535), help="This machine's end (0: any that is free).")
@click.option("--check-sec", type=click.FloatRange(0.1), help="Look at the tunnel every so often (15).")
@output_option
def remote(
    action: str,
    words: tuple[str, ...],
    answer_with: str | None,
    local_port: int | None,
    check_sec: float | None,
    output: OutputFormat,
) -> None:
    """Do the one thing asked for."""
    if len(words) != len(_WORDS[action]):
        raise click.UsageError(f"It is: {' '.join(['balsam remote', action, *_WORDS[action]])}")
    wishes = Wishes(answer_with, local_port, check_sec)
    if wishes.names() and action not in ("add", "connect"):
        raise click.UsageError(f"{wishes.names()[0]} goes with add and connect only.")
    match action:
        case "ls":
            show(output)
        case "add":
            add(words[0], words[1], wishes)
        case "connect":
            connect(words[0], wishes)
        case "disconnect":
            disconnect(words[0])
        case _:
            remove(words[0])


def show(output: OutputFormat) -> None:
    """List the remotes, and how they are."""
    from balsam.remote import actions, registry

    display([asdict(actions.status(name)) for name in registry.names()], _COLUMNS, output)


def add(name: str, destination: str, wishes: Wishes) -> None:
    """Add a remote, connect it, and say how to go on."""
    from balsam.remote import actions, registry
    from balsam.remote.destination import parse_destination

    registry.check_is_new(name)
    new = wishes.applied_to(registry.Remote(name, parse_destination(destination)))
    tunnel = actions.add(new)
    click.echo(f"Connected {name}: port {tunnel.local_port} of this machine leads to {new.destination}.")
    click.echo(f"Activate it with:  . balsamactivate {name}")
    actions.check_server(new, tunnel)


def connect(name: str, wishes: Wishes) -> None:
    """Connect a remote, or see that it is."""
    from balsam.remote import actions, registry

    known = wishes.applied_to(registry.load(name))
    tunnel = actions.connect(known)
    click.echo(f"Connected {name}: port {tunnel.local_port} of this machine leads to {known.destination}.")
    actions.check_server(known, tunnel)


def disconnect(name: str) -> None:
    """Close the tunnel of a remote."""
    from balsam.remote import actions, registry

    was_open = actions.disconnect(registry.load(name))
    click.echo(f"Disconnected {name}." if was_open else f"{name} was not connected.")


def remove(name: str) -> None:
    """Forget a remote; the database over there stays."""
    from balsam.remote import actions

    actions.remove(name)
    click.echo(f"Removed {name} from this machine; the database over there is as it was.")
