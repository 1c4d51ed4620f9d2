"""A shared ssh connection: one login, through which commands and forwarded ports go.

It is the system's `ssh` with the user's configuration. Nothing here logs in but `open`: what the other
functions start fails when the connection is gone, and never asks anything.
"""

import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from balsam.exceptions import BalsamError, ConfigError, DatabaseUnreachable
from balsam.remote.destination import Destination
from balsam.remote.failures import explain, telling
from balsam.remote.prompts import Prompts

#: A dead network is noticed after 45 to 60 s.
_KEEPALIVE = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3", "-o", "ConnectTimeout=30")
#: The user's own forwards, agent and screen stay out of it; why a login fails is always said.
_NOTHING_ELSE = (
    "-a",
    "-x",
    "-T",
    "-o",
    "ClearAllForwardings=yes",
    "-o",
    "PermitLocalCommand=no",
    "-o",
    "LogLevel=INFO",
)
_COMMAND_SEC = 30.0
#: Exit code of ssh for its own failures.
_SSH_FAILED = 255


@dataclass(frozen=True)
class Master:
    """The connection to the host of ``destination`` whose socket is ``socket``.

    ``via`` is the connection through which that host is reached.
    """

    destination: Destination
    socket: Path
    via: "Master | None" = None

    def is_open(self) -> bool:
        """Say whether the connection is there; one whose network has died still counts for a minute."""
        return self.socket.exists() and self._control("check").returncode == 0

    def open(self, prompts: Prompts) -> None:
        """Log in and keep the connection in the background.

        Raises LoginRefusedError, DatabaseUnreachable or ConfigError, with ssh's own words.
        """
        self.socket.unlink(missing_ok=True)  # of a connection that died
        command = ["ssh", "-M", "-S", str(self.socket), "-f", "-N", *_NOTHING_ELSE, *_KEEPALIVE]
        command += ["-o", "ControlMaster=yes", "-o", "ControlPersist=no", *prompts.options]
        if self.via is not None:
            command += ["-o", f"ProxyCommand={self.via.proxy_command()}"]
        returncode, said = _run_shown([*command, *self._host_words()], prompts)
        if returncode != 0:
            raise explain(said, self.destination, prompts.hint)

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the host; raises DatabaseUnreachable when the connection is gone or hangs."""
        try:
            done = _ssh([*self._through(), "-T", *self._host_words(), command])
        except subprocess.TimeoutExpired as error:
            raise DatabaseUnreachable(
                f"The connection to {self.destination.host} hangs: no answer in {_COMMAND_SEC:.0f} s.\n"
                "Is the network still there?"
            ) from error
        if done.returncode == _SSH_FAILED:
            raise explain(done.stderr, self.destination)
        return done

    def forward(self, local_port: int, remote_port: int) -> None:
        """Let this machine's ``local_port`` lead to a port of the host; raises DatabaseUnreachable."""
        done = self._control("forward", *_forwarding(local_port, remote_port))
        if done.returncode != 0:
            raise DatabaseUnreachable(
                f"ssh cannot forward port {local_port} of this machine to {self.destination.host}:"
                f" {telling(done.stderr)}\nAnother program may have the port, or the site forbids forwarding."
            )

    def cancel_forward(self, local_port: int, remote_port: int) -> None:
        """Undo that, if it was done."""
        self._control("cancel", *_forwarding(local_port, remote_port))

    def close(self) -> None:
        """End the connection; one that has ended is fine."""
        if self.socket.exists():
            self._control("exit")
            self.socket.unlink(missing_ok=True)

    def proxy_command(self) -> str:
        """Return the command line with which ssh reaches another host through this connection."""
        return shlex.join(["ssh", *self._through(), "-W", "[%h]:%p", *self._host_words()])

    def _through(self) -> list[str]:
        """Options for the use of this connection, and of no other if it is gone."""
        return [
            "-S",
            str(self.socket),
            "-o",
            "ControlMaster=no",
            "-o",
            "ProxyCommand=false",
            "-o",
            "BatchMode=yes",
        ]

    def _host_words(self) -> list[str]:
        where = self.destination
        user = ["-l", where.user] if where.user else []
        port = ["-p", str(where.port)] if where.port else []
        return [*user, *port, "--", where.host]

    def _control(self, action: str, *words: str) -> "subprocess.CompletedProcess[str]":
        command = ["-S", str(self.socket), "-O", action, *words, *self._host_words()]
        try:
            return _ssh(command)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, _SSH_FAILED, "", "the connection hangs")


def _forwarding(local_port: int, remote_port: int) -> list[str]:
    return ["-L", f"localhost:{local_port}:127.0.0.1:{remote_port}"]


def _ssh(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run ssh without a terminal to ask at; raises subprocess.TimeoutExpired."""
    try:
        return subprocess.run(
            ["ssh", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_SEC,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise _no_ssh() from error


def _run_shown(command: list[str], prompts: Prompts) -> tuple[int, str]:
    """Run a login to its end, showing what it prints; returns its exit code and its messages."""
    environ = {**os.environ, **prompts.environ}
    if not prompts.environ:
        environ.pop("SSH_ASKPASS_REQUIRE", None)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if prompts.own_session else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=prompts.own_session,
        )
    except FileNotFoundError as error:
        raise _no_ssh() from error
    try:
        said = _follow(process, None if prompts.own_session else sys.stderr.fileno(), prompts.limit_sec)
    except BaseException:  # this process ends, and nobody would close the connection
        if prompts.own_session:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.wait(), said


def _follow(process: "subprocess.Popen[bytes]", screen: int | None, limit_sec: float | None) -> str:
    """Read a program's messages until it ends, whoever else keeps the pipe; kills it after ``limit_sec``."""
    assert process.stderr is not None
    deadline = None if limit_sec is None else time.monotonic() + limit_sec
    said = b""
    with process.stderr as pipe:
        while True:
            if select.select([pipe], [], [], 0.1)[0]:
                chunk = os.read(pipe.fileno(), 65536)
                said += chunk
                if chunk and screen is not None:
                    with suppress(OSError):
                        os.write(screen, chunk)
                if not chunk:
                    break
            elif process.poll() is not None:
                break
            if deadline is not None and time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)  # it has a session of its own
                said += f"\nno login within {limit_sec:.0f} s".encode()
                deadline = None
    return said.decode(errors="replace")


def _no_ssh() -> BalsamError:
    return ConfigError(
        "There is no `ssh` on PATH.\nInstall OpenSSH's client (Debian: apt install openssh-client)."
    )
