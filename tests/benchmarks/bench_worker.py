"""Measure a worker alone: no-op jobs per second, each with its own new directory, against xargs.

    python tests/benchmarks/bench_worker.py [--jobs 4000] [--slots 2]

Prints one JSON line. The head here only feeds and counts, so this bounds what a launcher can reach.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from balsam.launcher.channel import ChannelIdentity, new_secret
from balsam.launcher.head_channel import WorkerLink, WorkerListener
from balsam.launcher.run_messages import run_messages
from balsam.launcher.worker_setup import WorkerSetup
from balsam.lib.directory_spread import spread_subdirectories
from balsam.platform.nodes.node import Node
from balsam.schemas.jobs import JobSpec

#: How many jobs the worker has in its queue at most: enough for half a second.
QUEUE = 1000


def main() -> None:
    """Measure the floor, the worker, and the floor again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--profile", default="", help="write a cProfile of the worker to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-worker-") as directory:
        spread_subdirectories(Path(directory))
        files_ms = files_cpu_ms(Path(directory) / "files")
        floors = [floor_rate(args.jobs, args.slots)]
        figures = asyncio.run(drive(Path(directory), args.jobs, args.slots, args.profile))
        floors.append(floor_rate(args.jobs, args.slots))
    floor = sum(floors) / len(floors)
    print(
        json.dumps(
            {
                "benchmark": "worker",
                "jobs": args.jobs,
                "slots": args.slots,
                **{name: round(value, 4) for name, value in figures.items()},
                "files_cpu_ms_per_job": round(files_ms, 4),
                "floor_per_sec": round(floor, 1),
                "ratio": round(figures["jobs_per_sec"] / floor, 3),
            }
        )
    )


def floor_rate(jobs: int, slots: int) -> float:
    """Starts per second of xargs with as many slots."""
    began = time.monotonic()
    text = "".join(f"{number}\n" for number in range(jobs))
    subprocess.run(["xargs", f"-P{slots}", "-n1", "/bin/true"], input=text.encode(), check=True, timeout=600)
    return jobs / (time.monotonic() - began)


def files_cpu_ms(directory: Path, count: int = 500) -> float:
    """CPU time of a new directory with a new file in it: what of a job's cost is the file system's.

    On an ext4 without a journal it grows tenfold for minutes where many files were deleted just before.
    """
    directory.mkdir()
    began = time.process_time()
    for number in range(count):
        os.mkdir(directory / str(number))
        os.close(os.open(directory / str(number) / "out", os.O_CREAT | os.O_WRONLY))
    return (time.process_time() - began) * 1000 / count


async def drive(directory: Path, jobs: int, slots: int, profile: str) -> dict[str, float]:
    """Run the jobs through one worker process; returns the figures."""
    identity = ChannelIdentity(new_secret(), "bench", 1)
    async with WorkerListener(identity) as listener:
        setup = WorkerSetup(
            address=listener.address,
            secret=identity.secret,
            instance_id=identity.instance_id,
            session_id=identity.session_id,
            mode="serial",
            nodes=(Node("localhost", tuple(range(slots))),),
        )
        profiled = ["-m", "cProfile", "-o", profile] if profile else []
        spawned_at = time.monotonic()
        worker = await asyncio.create_subprocess_exec(
            sys.executable, *profiled, "-m", "balsam.launcher.worker", stdin=asyncio.subprocess.PIPE
        )
        assert worker.stdin is not None
        worker.stdin.write(setup.to_line().encode())
        worker.stdin.close()
        link = await listener.accept()
        await link.receive()
        ready_ms = (time.monotonic() - spawned_at) * 1000
        process = psutil.Process(worker.pid)
        figures = await feed(link, process, specs(directory, jobs, slots))
        link.send({"type": "stop", "grace_sec": 1})
        while (message := await link.receive()) is not None and message["type"] != "bye":
            continue
        await worker.wait()
    return {"worker_ready_ms": ready_ms, **figures}


def specs(directory: Path, jobs: int, slots: int) -> Iterator[JobSpec]:
    """Make the jobs."""
    environ = {"BALSAM_PARENT_IDS": "[]", "BALSAM_DB_PATH": str(directory)}
    for number in range(jobs):
        job_id = f"{number:08x}-0000-4000-8000-000000000000"
        spec = JobSpec(
            job_id=job_id,
            name=f"job{number}",
            attempt=1,
            command="/bin/true",
            workdir=str(directory / "data" / "bench" / f"job{number}_{number:08x}"),
            environ={"BALSAM_JOB_ID": job_id, **environ},
            node_packing_count=slots,
        )
        yield spec


async def feed(link: WorkerLink, process: psutil.Process, jobs: Iterator[JobSpec]) -> dict[str, float]:
    """Keep the worker's queue filled until all jobs have ended."""
    waiting = list(jobs)
    count, ended, messages, outstanding = len(waiting), 0, 0, 0
    cpu_before, own_before, began = cpu_sec(process), time.process_time(), time.monotonic()
    while ended < count:
        if outstanding < QUEUE // 2 and waiting:
            batch, waiting = waiting[: QUEUE // 2], waiting[QUEUE // 2 :]
            for message in run_messages(batch):
                link.send(message)
            outstanding += len(batch)
        events = await link.receive()
        assert events is not None, "the worker died"
        messages += 1
        codes = [entry[2] for entry in events["ended"]]
        assert not any(codes) and None not in codes and not events["returned"], events
        ended += len(codes)
        outstanding -= len(codes)
    elapsed = time.monotonic() - began
    return {
        "jobs_per_sec": count / elapsed,
        "worker_cpu_ms_per_job": (cpu_sec(process) - cpu_before) * 1000 / count,
        "head_cpu_ms_per_job": (time.process_time() - own_before) * 1000 / count,
        "events_per_message": count / messages,
    }


def cpu_sec(process: psutil.Process) -> float:
    """CPU time of a process itself, by the scheduler's own clock where there is one."""
    path = f"/proc/{process.pid}/schedstat"
    if os.path.exists(path):
        return int(Path(path).read_text().split()[0]) / 1e9
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
