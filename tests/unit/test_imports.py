"""Importing does nothing but import: no files, no sockets, no logging, no process-wide hooks."""

import subprocess
import sys

import pytest

CHECK = """
import logging, os, sys
calls = []
def watch(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        calls.append(f"opened {args[0]} to write")
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
    "module", ["balsam", "balsam.cli.main", "balsam.core.models", "balsam.launcher.dag", "balsam.client"]
)
def test_import_has_no_side_effects(module: str, tmp_path: object):
    code = CHECK.replace("MODULE", module)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
