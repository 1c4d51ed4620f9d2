"""The process of the service, as `balsam.agent.daemon` starts it."""

import logging
import sys
from pathlib import Path

from balsam.agent.daemon import SITE, answer_error, answer_started
from balsam.agent.post import DatabasePost, Post
from balsam.agent.service import run_service
from balsam.agent.site_post import SitePost
from balsam.agent.stopping import Stopping
from balsam.api.connection import client
from balsam.client import Client
from balsam.config import SiteConfig
from balsam.exceptions import BalsamError

__all__ = ["main"]

logger = logging.getLogger("balsam.agent")


def main(descriptor: int, kind: str) -> int:
    """Run the service of the database or the site that the current directory is.

    Whoever waits at the other end of ``descriptor`` is told when it is up, or why not.
    """
    stopping = Stopping()
    is_up = False

    def on_ready(log_path: Path) -> None:
        nonlocal is_up
        answer_started(descriptor, log_path)
        is_up = True

    with stopping.on_signals(hangup_ends=False):
        try:
            post, chosen = _at_site() if kind == SITE else (DatabasePost(Path.cwd()), Client())
            run_service(post, chosen, stopping, on_ready)
        except BalsamError as error:
            if is_up:
                logger.error("%s", error)
            else:
                answer_error(descriptor, error)
            return error.exit_code
    return 0


def _at_site() -> tuple[Post, Client]:
    """Return the site that the current directory is, and the client of its database or server."""
    post = SitePost(SiteConfig(Path.cwd()))  # this process works there from now on
    return post, client()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
