"""Settings of the server and its rules for logging in.

Every connection needs a password (scram-sha-256); nothing listens beyond this host unless the owner says so
in `local.conf`; a commit is on disk when it returns.
"""

from pathlib import Path

from balsam.lib.atomic import write_atomically
from balsam.postgres.accounts import Account
from balsam.postgres.connecting import LOOPBACK

#: Rewritten at every start.
CONF_NAME = "balsam.conf"
#: The owner's own settings, which win over ours.
LOCAL_CONF_NAME = "local.conf"

_LOGIN_RULES = """\
# Written by Balsam. The first rule that fits counts; the last ones refuse everybody else.
# TYPE  DATABASE  USER  ADDRESS       METHOD
local   all       all                 scram-sha-256
host    all       all   127.0.0.1/32  scram-sha-256
host    all       all   ::1/128       scram-sha-256
local   all       all                 reject
host    all       all   all           reject
"""

_LOCAL_CONF = """\
# Your own settings of the server, one `name = value` in a line; they win over those of Balsam.
# They count from the next start: `balsam server --reset`.
"""

#: name -> value, as in postgresql.conf
_SETTINGS = {
    # Jobs that were accepted survive a crash of the machine.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    # A login node is shared: little memory, no helper processes for single queries.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "10min",
    # Works with a tiny /dev/shm, and where systemd empties it when the user logs out (RemoveIPC).
    "dynamic_shared_memory_type": "mmap",
    # Job rows change often and are read by partial indexes: clean up early and in small portions.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_threshold": "200",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_threshold": "500",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_limit": "2000",
    "random_page_cost": "1.5",
    "jit": "off",
    # What a killed or vanished client held is free again soon.
    "idle_in_transaction_session_timeout": "10min",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    # One log file for each day of the week, begun afresh; never a statement or its values.
    "logging_collector": "on",
    "log_directory": "'log'",
    "log_filename": "'postgresql-%a.log'",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_file_mode": "0600",
    "log_line_prefix": "'%m [%p] %q%u %a '",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_checkpoints": "off",
    "log_timezone": "'UTC'",
    "timezone": "'UTC'",
}
#: A query whose client has gone is given up; settings by the first version that knows them.
_NEWER_SETTINGS = {14: {"client_connection_check_interval": "10s"}}


def render_settings(major: int, port: int, socket_dir: Path | None) -> str:
    """Return the text of `balsam.conf` for a server of version ``major``.

    ``socket_dir`` has no character that would need quoting; None gives a server without a socket.
    """
    settings = {
        "listen_addresses": f"'{LOOPBACK}'",
        "port": str(port),
        "unix_socket_directories": f"'{socket_dir or ''}'",
        "unix_socket_permissions": "0700",
        **_SETTINGS,
    }
    for first_major, newer in _NEWER_SETTINGS.items():
        if major >= first_major:
            settings |= newer
    lines = [f"{name} = {value}" for name, value in settings.items()]
    head = f"# Rewritten by Balsam at every start. Your own settings go to {LOCAL_CONF_NAME}."
    return "\n".join([head, *lines, ""])


def write_settings(data_dir: Path, text: str, account: Account) -> None:
    """Write `balsam.conf`."""
    write_atomically(data_dir / CONF_NAME, text)
    account.own(data_dir / CONF_NAME)


def write_fixed_files(data_dir: Path, account: Account) -> None:
    """Let a new cluster read our settings and its owner's, and write its rules for logging in."""
    with open(data_dir / "postgresql.conf", "a", encoding="utf-8") as file:
        file.write(f"\ninclude '{CONF_NAME}'\ninclude_if_exists '{LOCAL_CONF_NAME}'\n")
    for name, text in {LOCAL_CONF_NAME: _LOCAL_CONF, "pg_hba.conf": _LOGIN_RULES}.items():
        write_atomically(data_dir / name, text)
        account.own(data_dir / name)


def is_ours(data_dir: Path) -> bool:
    """Say whether Balsam made the cluster."""
    return (data_dir / CONF_NAME).exists()
