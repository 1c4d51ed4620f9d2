"""A worker of a launcher: ``python -m balsam.launcher.worker``, with its setup as a line on standard input.

One thread, which waits for messages, ends of processes, signals and deadlines, and for nothing else. Whatever
happens to the head, no job outlives its worker.
"""

import contextlib
import math
import os
import selectors
import signal
import socket
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

from balsam.exceptions import ChannelError
from balsam.launcher.channel import Message
from balsam.launcher.commands import JobCommands
from balsam.launcher.node_checks import NodeChecks
from balsam.launcher.placement import Allocation
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.python_runs import PythonRuns
from balsam.launcher.runner import Runner
from balsam.launcher.warm_pool import is_possible
from balsam.launcher.worker_channel import WorkerChannel
from balsam.launcher.worker_events import Outbox
from balsam.launcher.worker_jobs import WorkerJobs
from balsam.launcher.worker_setup import WorkerSetup
from balsam.lib.descendants import adopt_orphans
from balsam.platform.nodes.local import is_this_host
from balsam.schemas.jobs import AppCode, JobSpec
from balsam.schemas.sessions import session_mark

if TYPE_CHECKING:
    from balsam.launcher.mpi_commands import MpiCommands

__all__ = ["Worker", "main"]

#: Starts between two looks at messages and ends.
START_BATCH = 32
#: How long killed leftovers of jobs are waited for at the end.
LEFTOVER_SEC = 2.0
#: Variables that tell a process which rank of an MPI run it is.
_OF_A_RANK = (
    *("PMI_RANK", "PMI_SIZE", "PMI_FD", "PMI_PORT", "PMI_ID", "PMI_SPAWNED", "PMI_JOBID", "PMI_LOCAL"),
    "PMI_HOSTNAME",
    *("PMI_CONTROL", "PMIX_RANK", "PMIX_NAMESPACE", "PMIX_SERVER", "PMIX_ID", "HYDI_", "MPI_LOCAL"),
    *("OMPI_COMM_WORLD_", "OMPI_UNIVERSE_", "PALS_RANKID", "PALS_LOCAL", "ALPS_APP_PE"),
)


class Worker:
    """Serves one head until it says stop, or is gone."""

    def __init__(
        self, setup: WorkerSetup, channel: WorkerChannel, wakeup: socket.socket, *, adopts_orphans: bool
    ) -> None:
        self._channel = channel
        self._wakeup = wakeup
        self._grace_sec = setup.grace_sec
        #: Replaces what jobs say themselves.
        self._of_all_jobs = {"node_packing_count": 1} if setup.takes_whole_nodes else {}
        self._outbox = Outbox()
        runner = Runner(job_environ(setup))
        mpi = mpi_commands(setup)
        why_fresh = why_not_warm(mpi is not None, adopts_orphans)
        self._jobs = WorkerJobs(
            Allocation(
                setup.nodes,
                gpu_per_job_default=setup.mode == "serial" and setup.lends_gpus,
                allow_unfit=setup.start_unfit,
            ),
            JobCommands(setup.mode, mpi, setup.gpu_kind),
            runner,
            self._outbox,
            python=PythonRuns(runner, self._outbox.note, why_fresh=why_fresh),
            checks=node_checks(setup, runner),
            max_running=setup.max_running,
        )
        #: SIGTERM has come.
        self._is_asked_to_stop = False
        self._selector = selectors.DefaultSelector()
        self._wanted = selectors.EVENT_READ
        self._selector.register(channel, self._wanted)
        self._selector.register(wakeup, selectors.EVENT_READ)
        news = self._jobs.python.fileno()
        if news is not None:  # looked at before each start
            self._selector.register(news, selectors.EVENT_READ)

    def stop_soon(self) -> None:
        """Stop at the next opportunity; may be called by a signal handler."""
        self._is_asked_to_stop = True

    def serve(self) -> bool:
        """Run jobs until told to stop; False when the head was lost. No job runs any more then."""
        has_more = False
        while not self._jobs.is_stopping or self._jobs.running:
            self._wait(0.0 if has_more else self._idle_sec())
            if (self._is_asked_to_stop or self._channel.is_closed) and not self._jobs.is_stopping:
                self._jobs.stop(self._grace_sec)
            self._jobs.reap()
            has_more = self._jobs.start_some(START_BATCH)
            self._tell()
        self._tell(at_once=True)
        return not self._channel.is_closed

    def abort(self) -> None:
        """Kill everything at once: this worker is about to die of an error of its own."""
        self._jobs.stop(0.0)
        while self._jobs.running:
            self._jobs.reap()
            time.sleep(0.01)
        self._channel.close()

    def leave(self) -> None:
        """Kill what jobs have left behind, say goodbye, and close the channel."""
        give_up_at = time.monotonic() + LEFTOVER_SEC
        while self._jobs.kill_leftovers() and time.monotonic() < give_up_at:
            self._wait(0.05)
            self._jobs.reap()
        if not self._channel.is_closed:
            self._channel.send({"type": "bye"})
        self._channel.close()
        self._selector.close()

    def _idle_sec(self) -> float | None:
        """Return how long nothing is to be done unless something happens; None for ever."""
        due_at = min(self._jobs.next_deadline, self._outbox.due_at(self._jobs.is_starved))
        return None if due_at == math.inf else max(0.0, due_at - time.monotonic())

    def _wait(self, timeout_sec: float | None) -> None:
        """Wait for something to happen, and do what the head says."""
        if not self._channel.is_closed:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._channel.has_unsent else 0)
            if wanted != self._wanted:
                self._selector.modify(self._channel, wanted)
                self._wanted = wanted
        for key, _ in self._selector.select(timeout_sec):
            if key.fileobj is self._channel:
                self._channel.flush()
                self._take_messages()
            elif key.fileobj is self._wakeup:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup.recv(4096)

    def _take_messages(self) -> None:
        try:
            for message in self._channel.receive():
                self._obey(message)
        except (ChannelError, KeyError, TypeError) as error:
            print(f"balsam worker: the head sent what cannot be understood: {error!r}", file=sys.stderr)
            self._channel.abandon()
        if self._channel.is_closed:
            self._selector.unregister(self._channel)

    def _obey(self, message: Message) -> None:
        match message["type"]:
            case "run":
                self._jobs.accept(JobSpec(**{**spec, **self._of_all_jobs}) for spec in message["jobs"])
            case "app":
                self._jobs.python.learn(AppCode(**message["app"]))
            case "kill":
                self._jobs.kill(message["job_ids"], self._grace_sec)
            case "give_back":
                self._jobs.give_back()
            case "time_left":
                self._jobs.set_time_left(message["sec"])
            case "stop":
                self._jobs.stop(message["grace_sec"])
            case unknown:
                raise ChannelError(f"No message is known as {unknown!r}.")

    def _tell(self, *, at_once: bool = False) -> None:
        """Send the events that are due."""
        now = time.monotonic()
        is_starved = self._jobs.is_starved
        is_stopping = self._jobs.is_stopping or self._is_asked_to_stop
        if at_once or is_stopping or self._outbox.due_at(is_starved) <= now:
            for message in self._outbox.take(now):
                message |= {
                    "queued": self._jobs.queued,
                    "running": self._jobs.running,
                    "starved": is_starved,
                    "stopping": is_stopping,
                }
                self._channel.send(message)


def main() -> int:
    """Read the setup, connect to the head, and serve it; returns the exit code."""
    try:
        setup = WorkerSetup.from_line(sys.stdin.readline())
        keep_only_standard_files()
        end_former(setup)
        channel = WorkerChannel.connect(setup.address, setup.identity, setup.worker_id)
    except ChannelError as error:
        print(f"balsam worker: {error}", file=sys.stderr)
        return 1
    worker = Worker(setup, channel, catch_signals(), adopts_orphans=adopt_orphans())

    def stop(number: int, frame: FrameType | None) -> None:
        worker.stop_soon()

    signal.signal(signal.SIGTERM, stop)
    channel.send({"type": "ready", "host": socket.gethostname(), "cpus": os.cpu_count()})
    try:
        was_served = worker.serve()
    except BaseException:
        worker.abort()
        raise
    worker.leave()
    return 0 if was_served else 1


def mpi_commands(setup: WorkerSetup) -> "MpiCommands | None":
    """Return what puts the MPI launcher before commands, if there is one and the mode wants it."""
    if setup.mode == "serial" or not setup.mpirun:
        return None
    # serial workers start by the thousand: they do without the modules that this needs
    from balsam.launcher.mpi_commands import MpiCommands

    this_host = "" if setup.names_hosts else socket.gethostname()
    return MpiCommands(setup.mpirun, this_host=this_host, is_root=os.getuid() == 0, gpu_kind=setup.gpu_kind)


def why_not_warm(is_mpi: bool, adopts_orphans: bool) -> str:
    """Say why no interpreter is kept warm here, or ''."""
    if is_mpi:
        return "the MPI launcher starts all jobs"
    return "" if adopts_orphans and is_possible() else "this system cannot keep one warm"


def node_checks(setup: WorkerSetup, runner: Runner) -> NodeChecks | None:
    """Return what asks the other nodes whether they are still there, if this worker has any."""
    elsewhere = [node.name for node in setup.nodes if not is_this_host(node.name, os.environ)]
    if setup.mode == "serial" or not setup.mpirun or not elsewhere:
        return None
    from balsam.launcher.worker_start import start_on, starter_environ

    environ = starter_environ(setup.node_starter, is_root=os.getuid() == 0)

    def start_of(node: str) -> ProcessStart:
        argv = start_on(node, setup.node_starter, ["true"])
        return ProcessStart(argv=argv, workdir="/", output="/dev/null", environ=environ)

    return NodeChecks(runner, elsewhere, start_of)


def job_environ(setup: WorkerSetup) -> dict[str, str]:
    """Return what all jobs inherit; by its marks, what a killed worker has left behind is found.

    Without what an MPI launcher has told this worker: a job that uses MPI would take it for its own.
    """
    mark = session_mark(setup.instance_id, setup.session_id)
    marks = {"BALSAM_SESSION": mark, "BALSAM_WORKER": f"{mark}.{setup.worker_id}"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OF_A_RANK)}
    return {**inherited, **setup.environ, **marks}


def end_former(setup: WorkerSetup) -> None:
    """Kill what earlier workers on this node have left running; their jobs have been given back."""
    if not setup.former:
        return
    from balsam.lib.processes import orphans_of  # rarely needed

    mark = session_mark(setup.instance_id, setup.session_id)
    for worker_id in setup.former:
        for pid in orphans_of("BALSAM_WORKER", f"{mark}.{worker_id}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def keep_only_standard_files() -> None:
    """Let no job inherit the setup's pipe, or files that were open when this process was started."""
    devnull = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(devnull, 0)
    for number in (1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: nothing else may ever get this number
            os.dup2(devnull, number)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the listing's own, which is closed again
                os.set_inheritable(int(name), False)


def catch_signals() -> socket.socket:
    """Make signals readable from the socket returned; the head decides about the terminal's."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


if __name__ == "__main__":
    sys.exit(main())
