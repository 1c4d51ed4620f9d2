"""``python -m balsam.server DB HOST PORT [CERTIFICATE KEY]``: what `balsam server up` starts."""

import os
import sys
from pathlib import Path

from balsam.server.running import serve


def main(words: list[str]) -> None:
    """Serve until told to end."""
    db_path, host, port, *tls = words
    os.environ["BALSAM_DB_PATH"] = db_path
    import balsam

    balsam.setup()
    serve(Path(db_path), host, int(port), (tls[0], tls[1]) if tls else None)


if __name__ == "__main__":
    main(sys.argv[1:])
