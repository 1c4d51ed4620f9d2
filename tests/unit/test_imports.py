"""Importing does nothing but import: no files, no sockets, no logging, no process-wide hooks."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = """
import logging, os, sys
calls = []
def is_code(path):
    return path.endswith((".py", ".pyc", ".so")) or "/site-packages/django/" in path
def watch(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        calls.append(f"opened {args[0]} to write")
    if event == "open" and isinstance(args[0], str) and not is_code(args[0]):
        calls.append(f"read {args[0]}")
    if event in {"socket.connect", "socket.bind", "os.mkdir", "subprocess.Popen", "os.system", "os.fork"}:
        calls.append(f"{event} {args}")
sys.dont_write_bytecode = True
root = logging.getLogger()
before = (root.level, list(root.handlers), sys.excepthook, dict(os.environ), os.getcwd())
sys.addaudithook(watch)
import MODULE
after = (root.level, list(root.handlers), sys.excepthook, dict(os.environ), os.getcwd())
assert before == after, (before, after)
assert not calls, calls
"""


@pytest.mark.parametrize(
    "module",
    [
        *("balsam", "balsam.cli.main", "balsam.core.models", "balsam.launcher.dag", "balsam.client"),
        *("balsam.api", "balsam.api.models", "balsam.config", "balsam.site", "balsam.analytics"),
    ],
)
def test_import_has_no_side_effects(module: str, tmp_path: Path):
    """Nor does it read settings, templates or the database's files, or ask the scheduler that is there."""
    (tmp_path / ".balsam").mkdir()
    (tmp_path / ".balsam" / "settings.json").write_text("{}")
    (tmp_path / "server-info").write_text("{}")
    code = CHECK.replace("MODULE", module)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "BALSAM_DB_PATH": str(tmp_path),
            "BALSAM_JOB_ID": "5e4d27b2-0d5c-4d8e-a4e4-1c3f4a1f3a2b",
        },
        cwd=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
