"""What ssh's own words mean for the user: which error it is, and what to type next."""

import re

from balsam.exceptions import BalsamError, ConfigError, DatabaseUnreachable, LoginRefusedError
from balsam.remote.destination import Destination

_UNKNOWN_KEY = re.compile(
    r"Host key verification failed|host key .* has changed|No .* host key is known", re.I
)
_REFUSED = re.compile(
    r"Permission denied|Too many authentication failures|no more authentication methods", re.I
)
_CONFIG = re.compile(r"Bad configuration option|terminating, \d+ bad configuration|Bad owner or permissions")
#: Lines of ssh that tell nothing about a failure.
_NOISE = re.compile(r"^(Warning: Permanently added|debug\d:|\*\*|Connection to .* closed)")
_LIMIT = 4


def explain(said: str, destination: Destination, hint: str = "") -> BalsamError:
    """Return the error for a connection that ssh did not make, from what it printed.

    ``hint`` is what to do where it was refused, besides having `ssh HOST` work.
    """
    words = telling(said)
    login = destination.login
    if _CONFIG.search(said):
        return ConfigError(f"ssh does not understand its configuration: {words}\nMend what it names.")
    if _UNKNOWN_KEY.search(said):
        return LoginRefusedError(
            f"The key of host {destination.host} is unknown, or not the known one: {words}\n"
            f"Log in once by hand, and compare the key with the one your site publishes: `ssh {login}`."
        )
    if _REFUSED.search(said):
        return LoginRefusedError(
            f"{destination.host} did not let you in: {words}\n`ssh {login}` has to work. {hint}".rstrip()
        )
    return DatabaseUnreachable(
        f"Cannot reach host {destination.host}: {words}\n"
        f"Try `ssh {login}`; are you on its network, and is the name right?"
    )


def telling(said: str) -> str:
    """Return the last lines that tell something, as one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    return " / ".join(lines[-_LIMIT:]) or "ssh said nothing"
