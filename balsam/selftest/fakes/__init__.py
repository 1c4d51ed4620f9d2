"""Fake batch systems: their commands, run as the real ones are, over one file that holds all they know.

There is no daemon: time passes when a command is called, and each batch job runs under a supervisor of its
own. The modules here import little, since every command is a process of its own that should start at once.
"""
