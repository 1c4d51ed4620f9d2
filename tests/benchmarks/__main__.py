"""Measure Balsam on this machine.

    python -m tests.benchmarks [NAME...]

Runs the named benchmarks (default: all) and prints one line of JSON for each, with what the machine itself
can do (the floor) measured in the same run. Each makes its own database and home, and removes them.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial

import balsam
from tests.benchmarks.figures import Figure


def benchmarks() -> dict[str, Callable[[], Figure]]:
    """Name -> benchmark, in the order of the run; those of N jobs come at N and at 10 N."""
    from tests.benchmarks import commands, creation, latency, lists, over_http, python_apps, throughput

    return {
        "throughput": partial(throughput.throughput, 3_000),
        "throughput-10": partial(throughput.throughput, 30_000),
        "http": partial(over_http.over_http, 3_000),
        "save": partial(creation.save_loop, 1_000),
        "save-10": partial(creation.save_loop, 10_000),
        "bulk": partial(creation.bulk_create, 10_000),
        "bulk-10": partial(creation.bulk_create, 100_000),
        "api_bulk": partial(creation.api_bulk_create, 10_000),
        "latency": partial(latency.start_latency, 100),
        "chain": partial(latency.chain, 100),
        "python_apps": partial(python_apps.python_apps, 1_000),
        "result_latency": partial(python_apps.result_latency, 100),
        "help": partial(commands.command_time("--help"), 15),
        "ls": partial(commands.command_time("ls"), 15),
        "script": partial(commands.script_cpu, 20),
        "lists": partial(lists.lists, 100_000),
        "lists-10": partial(lists.lists, 1_000_000),
        "scale": partial(throughput.scale, 3_000),
    }


def main() -> int:
    """Run what is asked for; returns 1 when a goal is missed."""
    balsam.setup()
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}")
    names = parser.parse_args().names or list(known)
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(known)}")
    is_reached = True
    for name in names:
        figure = known[name]()
        print(figure.to_line(), flush=True)
        is_reached = is_reached and figure.is_reached is not False
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
