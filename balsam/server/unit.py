"""The systemd unit that serves a database."""

import getpass
import os
import sys
from pathlib import Path

__all__ = ["unit_text"]

_UNIT = """\
# Written by `balsam server unit`. Save it, as root, as /etc/systemd/system/{name}.service, and type:
#   systemctl daemon-reload && systemctl enable --now {name}
[Unit]
Description=Balsam server {name}
Wants=network-online.target
After=network-online.target
RequiresMountsFor={quoted}

[Service]
User={user}
Environment={environment}
ExecStart={balsam} server up --foreground -p {argument}
# The database outlives a server that crashed, and is stopped in order with one that ends.
KillMode=process
ExecStopPost={balsam} server --stop
TimeoutStartSec=180
TimeoutStopSec=90
Restart=on-failure
RestartSec=5
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
"""


def unit_text(db_path: Path, user: str = "") -> str:
    """Return the text of a unit that serves a database as this user, or another."""
    return _UNIT.format(
        name=f"balsam-{_plain(db_path.name)}",
        quoted=_quoted(str(db_path)),
        argument=_quoted(str(db_path).replace("$", "$$")),
        environment=_quoted(f"BALSAM_DB_PATH={db_path}"),
        balsam=_quoted(os.path.join(os.path.dirname(sys.executable), "balsam")),
        user=user or getpass.getuser(),
    )


def _plain(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _quoted(text: str) -> str:
    """Quote a word for systemd, to which ``%`` and ``$`` mean something even in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if escaped != text or " " in text else text
