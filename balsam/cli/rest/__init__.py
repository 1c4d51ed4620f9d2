"""``balsam server up|down|status``: the REST server of the active database."""
