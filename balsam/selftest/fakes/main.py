"""Run one command of a fake batch system: ``main`` as a process, ``answer`` within this one."""

import os
import sys
import time
from collections.abc import Mapping, Sequence

from balsam.selftest.fakes.cluster import Cluster
from balsam.selftest.fakes.ledger import Ledger
from balsam.selftest.fakes.mischief import Reply, play, spoil, take
from balsam.selftest.fakes.schedulers import Call, dialect
from balsam.selftest.fakes.words import BadWords

__all__ = ["answer", "main"]


def main(argv: Sequence[str]) -> int:
    """Run a command as a process: DIR COMMAND WORDS..."""
    reply = answer(argv[0], argv[1], argv[2:], os.environ)
    while reply.hangs:
        time.sleep(3600)
    # as the real ones do: all of what is said, even where the reader reads slowly
    for stream, text in ((sys.stdout, reply.stdout), (sys.stderr, reply.stderr)):
        stream.buffer.write(text.encode(errors="surrogateescape"))
        stream.flush()
    return reply.code


def answer(
    directory: str, command: str, argv: Sequence[str], environ: Mapping[str, str], cwd: str = ""
) -> Reply:
    """Run a command within this process; nothing is printed, and nothing waits."""
    with Ledger(directory) as ledger:
        cluster = Cluster(ledger)
        speech = dialect(cluster.settings.scheduler)
        role, run = speech.COMMANDS[command]
        cluster.pass_time()
        pranks = take(ledger, command, role)
        kinds = {prank.kind for prank in pranks}
        if "hang" in kinds:
            return Reply(hangs=True)
        if "fail-before" in kinds:
            return speech.trouble(command, is_done=False)
        play(cluster, pranks)
        try:
            call = Call(cluster, command, list(argv), environ=environ, cwd=cwd or os.getcwd(), pranks=pranks)
            reply = run(call)
        except BadWords as error:
            reply = Reply(stderr=f"{command}: {error}\n", code=speech.USAGE_CODE)
        cluster.pass_time()
        return speech.trouble(command, is_done=True) if "fail-after" in kinds else spoil(reply, pranks)
