"""``python -m balsam.localqueue``: the commands of the local queue."""

import sys

from balsam.localqueue.commands import main

sys.exit(main(sys.argv[1:]))
