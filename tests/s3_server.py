"""A real server that speaks S3, as a process of its own: moto."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.sshd import free_port
from tests.waiting import wait_until

#: Objects on a page of a list.
PAGE = 20


@contextmanager
def s3_server() -> Iterator[str]:
    """Run it; give its address."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environ = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, env=environ, **quiet) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(url), 60, what="the S3 server to answer")
            yield url
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Say whether it is there."""
    try:
        return httpx.get(f"{url}/moto-api/data.json").is_success
    except httpx.TransportError:
        return False
