"""`balsam app`: define an application."""

import shutil

import click

from balsam.cli.options import words_option
from balsam.cli.verbs import VerbedCommand


@click.command(
    cls=VerbedCommand,
    verbs={
        "create": ("balsam.cli.apps.create:create", "Write a new application into the files of a site."),
        "sync": ("balsam.cli.apps.sync:sync", "Tell a site what its files define."),
        "ls": ("balsam.cli.apps.ls:ls", "List applications of sites."),
        "rm": ("balsam.cli.apps.rm:rm", "Delete applications, with their jobs."),
    },
    help="Define an application that jobs can run.",
    short_help="Define an application that jobs can run.",
    examples=[
        "balsam app --name square --executable ./square.py",
        'balsam app --name sim --executable "sim -q" --postprocess ./collect.py --description it simulates',
    ],
)
@click.option("--name", required=True, help="Unique name, by which jobs call it.")
@click.option("--executable", required=True, help="Command line; a .py file is run by this Python.")
@click.option("--preprocess", default="", help="Command run before the first start of each job.")
@click.option("--postprocess", default="", help="Command run after each job, and to handle errors.")
@click.option("--envscript", default="", help="File sourced in bash before the executable.")
@words_option("--description", min_words=1, help="What it is, in some words.")
def app(
    name: str, executable: str, preprocess: str, postprocess: str, envscript: str, description: str
) -> None:
    """Add the application and show it."""
    from balsam.core.defining import define_app

    added = define_app(
        name,
        executable,
        preprocess=preprocess,
        postprocess=postprocess,
        envscript=envscript,
        description=description,
    )
    click.echo(added)
    click.echo(f"Added application {added.cute_id} to the database.")
    warn_if_missing(added.executable)


def warn_if_missing(executable: str) -> None:
    """Say so if the command cannot be found here; it may still be there where the jobs run."""
    word = executable.split()[0]
    if shutil.which(word) is None:
        click.echo(
            f"Note: {word!r} is no executable file here; jobs fail unless it is where they run.", err=True
        )
