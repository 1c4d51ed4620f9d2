"""A real sshd on this machine's loopback, with a client configuration that leads to it.

Nothing of the machine's own is touched: keys, configuration and rules for logging in are in a directory of
the test, and what sshd wants at fixed places it gets in a mount namespace of its own.
"""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import pytest

from tests.waiting import wait_until

#: Names under which the client configuration knows the server, as if it were several login nodes.
HOSTS = ("theta", "thetalogin4", "thetalogin5", "*.alcf.anl.gov")
#: A module for PAM that asks one question; PAM's own modules can all ask for a password only.
_ASK_C = """
#include <string.h>
#include <stdlib.h>
int pam_prompt(void *pamh, int style, char **response, const char *format, ...);
int pam_sm_authenticate(void *pamh, int flags, int argc, const char **argv) {
    char *said = NULL;
    if (argc != 2 || pam_prompt(pamh, 1, &said, "%s", argv[0]) != 0 || !said) return 7;
    int is_right = strcmp(said, argv[1]) == 0;
    free(said);
    return is_right ? 0 : 7;
}
int pam_sm_setcred(void *pamh, int flags, int argc, const char **argv) { return 0; }
"""


@dataclass(frozen=True)
class Login:
    """The questions of a login with a password and a code, and the right answers."""

    questions: Mapping[str, str] = field(
        default_factory=lambda: {"Password: ": "correct horse", "Verification code: ": "424242"}
    )


@dataclass
class Sshd:
    """A running server; a context manager that stops it.

    ``config`` is a client configuration for it; ``bin_dir`` has an `ssh` and an `scp` that use that.
    """

    host: str
    port: int
    directory: Path
    words: Sequence[str]
    process: "subprocess.Popen[bytes]" = field(init=False)

    @property
    def config(self) -> Path:
        return self.directory / "ssh_config"

    @property
    def bin_dir(self) -> Path:
        return self.directory / "bin"

    @property
    def log(self) -> str:
        return (self.directory / "sshd.log").read_text(errors="replace")

    def environ(self) -> dict[str, str]:
        """Environment of a client whose `ssh` and `scp` reach this server."""
        return {"PATH": f"{self.bin_dir}:{os.environ['PATH']}"}

    def cut_connections(self) -> None:
        """End every connection, as a network does; new ones are taken."""
        for pid in children_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the server and its connections, as a machine that hangs, until the block ends."""
        pids = [self.process.pid, *children_of(self.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL)
        try:
            wait_until(
                lambda: self.process.poll() is not None or listens(self.port), what="the start of sshd"
            )
        except BaseException:
            self.stop()
            raise
        assert self.process.poll() is None, self.log

    def stop(self) -> None:
        """End the server and its connections."""
        self.cut_connections()
        self.process.terminate()
        self.process.wait(timeout=20)
        self.cut_connections()

    def __enter__(self) -> "Sshd":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_sshd(
    directory: Path,
    *,
    login: Login | None = None,
    environ: Mapping[str, str] | None = None,
    client_lines: Sequence[str] = (),
) -> Sshd:
    """Start a server whose files are in ``directory``; skips the test where that cannot be.

    One logs in by a key that is in the client configuration, or with ``login``, by answering its questions.
    ``environ`` is what sessions get, and ``client_lines`` are more lines of the client configuration.
    Sessions are of the user who runs the tests.
    """
    skip_unless_possible(login)
    directory.mkdir(mode=0o700, exist_ok=True)
    port = free_port()
    for name in ("host_key", "user_key"):
        make_key(directory / name)
    shutil.copy(directory / "user_key.pub", directory / "authorized_keys")
    (directory / "sshd_config").write_text(server_config(directory, port, login, environ or {}))
    write_client_files(directory, port, login, client_lines)
    words = [sshd_path(), "-D", "-f", str(directory / "sshd_config"), "-E", str(directory / "sshd.log")]
    server = Sshd(HOSTS[0], port, directory, in_own_namespace(words, directory, login))
    server.start()
    return server


def skip_unless_possible(login: Login | None) -> None:
    if sshd_path() == "" or shutil.which("ssh") is None:
        pytest.skip("no sshd: install openssh-server and openssh-client to run this")
    if login is not None:
        if os.geteuid() != 0:
            pytest.skip("not root: only root's sshd can ask for a password and a code (PAM)")
        if shutil.which("cc") is None:
            pytest.skip("no C compiler: PAM has no module of its own that asks for a code")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            pytest.skip("no mount namespaces: PAM's rules in /etc would have to be changed")


def sshd_path() -> str:
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin") or ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def server_config(directory: Path, port: int, login: Login | None, environ: Mapping[str, str]) -> str:
    quoted = " ".join(f'"{name}={value}"' for name, value in environ.items())
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {directory}/host_key",
        "PidFile none",
        f"AuthorizedKeysFile {directory}/authorized_keys",
        "StrictModes no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        f"KbdInteractiveAuthentication {'yes' if login else 'no'}",
        f"UsePAM {'yes' if login else 'no'}",
        f"AuthenticationMethods {'keyboard-interactive:pam' if login else 'publickey'}",
        "PrintMotd no",
        "MaxStartups 100",
        "MaxSessions 100",
        "Subsystem sftp internal-sftp",
        "LogLevel VERBOSE",
        *([f"SetEnv {quoted}"] if quoted else []),
    ]
    return "\n".join([*lines, ""])


def write_client_files(directory: Path, port: int, login: Login | None, more_lines: Sequence[str]) -> None:
    """Write a client configuration, and commands that use it: root's own is not found by HOME."""
    host_key = (directory / "host_key.pub").read_text().split()
    (directory / "known_hosts").write_text(f"balsam-test {host_key[0]} {host_key[1]}\n")
    lines = [
        f"Host {' '.join(HOSTS)} 127.0.0.1",
        "  HostName 127.0.0.1",
        f"  Port {port}",
        "Host *",
        "  HostKeyAlias balsam-test",
        f"  UserKnownHostsFile {directory}/known_hosts",
        "  GlobalKnownHostsFile /dev/null",
        "  IdentityAgent none",
        "  IdentitiesOnly yes",
        f"  IdentityFile {directory}/{'no_key' if login else 'user_key'}",
        *more_lines,
        "",
    ]
    (directory / "ssh_config").write_text("\n".join(lines))
    bin_dir = directory / "bin"
    bin_dir.mkdir(exist_ok=True)
    for name in ("ssh", "scp"):
        path = bin_dir / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\nexec {shutil.which(name)} -F {directory}/ssh_config "$@"\n')
        path.chmod(0o755)


def in_own_namespace(words: list[str], directory: Path, login: Login | None) -> list[str]:
    """Let root's sshd find `/run/sshd`, and PAM's rules for a login, in mounts that only it sees."""
    if os.geteuid() != 0:
        return words
    mounts = "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd"
    if login is not None:
        mounts += f" && mount --bind {shlex.quote(str(pam_rules(directory, login)))} /etc/pam.d"
    elif subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as Debian's own service does
        return words
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh", *words]


def pam_rules(directory: Path, login: Login) -> Path:
    """Write the folder that stands in for /etc/pam.d: each question is a step of the login."""
    module, source = directory / "pam_ask.so", directory / "pam_ask.c"
    source.write_text(_ASK_C)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module, source], check=True)
    asks = [f"auth required {module} [{question}] [{right}]" for question, right in login.questions.items()]
    rest = ["account required pam_permit.so", "session required pam_permit.so"]
    folder = directory / "pam.d"
    folder.mkdir(exist_ok=True)
    (folder / "sshd").write_text("\n".join([*asks, *rest, ""]))
    return folder


def children_of(pid: int) -> list[int]:
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]
