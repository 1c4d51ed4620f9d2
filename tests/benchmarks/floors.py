"""What the machine itself can do, measured in the same run as what is compared with it."""

import io
import statistics
import subprocess
import time
from collections.abc import Callable

from django.db import connection, transaction


def xargs_rate(count: int, slots: int = 2) -> float:
    """No-op processes per second of ``seq N | xargs -P2 -n1 /bin/true``."""
    began = time.perf_counter()
    with subprocess.Popen(["seq", str(count)], stdout=subprocess.PIPE) as seq:
        subprocess.run(["xargs", f"-P{slots}", "-n1", "/bin/true"], stdin=seq.stdout, check=True)
    return count / (time.perf_counter() - began)


def commit_and_start_ms(times: int = 100) -> float:
    """Milliseconds of one durable commit and one process, the median: what no start can do without."""

    def once() -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS floor_row (n int)")
            cursor.execute("INSERT INTO floor_row VALUES (1)")
        subprocess.run(["/bin/true"], check=True)

    once()
    figures = [timed(once) * 1000 for _ in range(times)]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE floor_row")
    return statistics.median(figures)


def copy_rows_sec(table: str) -> float:
    """Seconds of a raw COPY of all rows of a table into that table, with its indexes and constraints.

    The rows are taken out first and put back by the COPY that is measured, so the table ends as it was.
    """
    rows = io.StringIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} TO STDOUT", rows)
        cursor.execute(f"TRUNCATE {table} CASCADE")
    rows.seek(0)

    def put_back() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.copy_expert(f"COPY {table} FROM STDIN", rows)

    return timed(put_back)


def copy_each_row_sec(table: str, count: int) -> float:
    """Seconds of so many COPYs of one row and one commit each: the floor of a loop that saves."""
    text = io.StringIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY (SELECT * FROM {table} LIMIT {count}) TO STDOUT", text)
        cursor.execute(f"TRUNCATE {table} CASCADE")
    lines = [io.StringIO(line) for line in text.getvalue().splitlines(keepends=True)]

    def put_back() -> None:
        with connection.cursor() as cursor:
            for line in lines:
                cursor.copy_expert(f"COPY {table} FROM STDIN", line)

    return timed(put_back)


def timed(step: Callable[[], object]) -> float:
    """Seconds that a step takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def wall_ms(command: list[str], times: int = 15) -> float:
    """Milliseconds from start to end of a command, the fastest of some: others share the machine.

    What it prints is dropped.
    """

    def once() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    once()
    return min(timed(once) * 1000 for _ in range(times))
