"""Databases on other machines: a login by ssh, a watched tunnel, and a directory that `balsamactivate` takes.

The directory of a remote holds a `server-info` that names this machine's end of the tunnel. No server is ever
started on this side, and paths are those of the other.
"""
