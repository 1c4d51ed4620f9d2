"""What a launcher takes its jobs from: the active database, or at a site that site's database or server."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from balsam.client import Client
    from balsam.config.site_dir import SiteDir

__all__ = ["reach_jobs"]


def reach_jobs(site: "SiteDir | None") -> "Client":
    """Return the client, once what holds the jobs has answered; raises BalsamError when it does not."""
    from balsam.api.connection import client
    from balsam.client import Client

    if site is None or site.database:
        _reach_database()
        return Client()
    reached = client()
    _reach_server(reached, site.site_id)
    return reached


def _reach_database() -> None:
    from balsam.core.active import active_db_path
    from balsam.core.premises import check_files_are_here
    from balsam.postgres import Cluster

    check_files_are_here()
    Cluster(active_db_path()).revive()  # later it waits for the database, whatever becomes of that


def _reach_server(client: "Client", site_id: int) -> None:
    """Ask a server for the first time; in a batch job, whose nodes are there, wait for one that is away."""
    from balsam.exceptions import LoginNeededError, UnreachableError
    from balsam.launcher.batch_job import surrounding_batch_job

    try:
        client.current_service(site_id)
    except (LoginNeededError, UnreachableError) as error:
        if surrounding_batch_job(os.environ) is None:
            raise
        click.echo(f"{error} The launcher waits for it.", err=True)
