"""Start a launcher in this process: find the nodes, open the log, run the head."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from balsam.client import Client
from balsam.config.machine_defaults import machine_named
from balsam.config.site_config import settings_here
from balsam.config.site_dir import SiteDir
from balsam.config.user_log import log_as_set
from balsam.launcher.head import Head
from balsam.launcher.options import LauncherOptions
from balsam.launcher.surroundings import in_surroundings, node_description
from balsam.launcher.tally import Tally
from balsam.platform.nodes import detect_nodes

__all__ = ["run_launcher"]

logger = logging.getLogger(__name__)

Show = Callable[[Tally], Coroutine[Any, Any, None]]


def run_launcher(
    options: LauncherOptions,
    show: Show | None = None,
    site: SiteDir | None = None,
    client: Client | None = None,
) -> tuple[Tally, Path]:
    """Run a launcher to its end; return what it did and where it logged.

    ``client`` reaches what holds the jobs; None is the active database.

    ``show`` runs beside it, to tell how it goes. At a site, its settings hold, and the log is there.
    """
    settings = settings_here(site)
    # of nodes, all machines that are not special say the same: nothing
    machine = machine_named("local" if settings.MACHINE == "auto" else settings.MACHINE)
    nodes = detect_nodes(
        settings.WORKER_DETECTION_TYPE,
        gpus_per_node=options.gpus_per_node or 0,
        limit=options.limit_nodes or 0,
        offset=options.offset_nodes,
        description=node_description(options, settings, machine),
    )
    options = in_surroundings(options, settings, machine, nodes)
    log_path = log_as_set("launcher", settings, None if site is None else site.path)
    logger.info("Launcher %s on %d nodes: %s", options, len(nodes), ", ".join(node.name for node in nodes))
    logger.info(options.time_text)

    async def run() -> Tally:
        head = Head(options, nodes, log_path.parent, client)
        shown = asyncio.create_task(show(head.tally)) if show is not None else None
        try:
            return await head.run()
        finally:
            if shown is not None:
                shown.cancel()

    tally = asyncio.run(run())
    for line in tally.closing_lines():
        logger.info(line)
    return tally, log_path
