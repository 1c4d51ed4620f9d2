"""``python -m balsam.server DB SETTINGS``: what `balsam server up` starts; the settings are JSON."""

import json
import os
import sys
from pathlib import Path

from balsam.exceptions import BalsamError
from balsam.server.settings import from_values


def main(db_path: str, settings: str) -> None:
    """Serve until told to end."""
    os.environ["BALSAM_DB_PATH"] = db_path
    os.umask(0o077)
    import balsam

    balsam.setup()
    from balsam.server.serving import serve

    try:
        serve(Path(db_path), from_values(json.loads(settings)))
    except BalsamError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
