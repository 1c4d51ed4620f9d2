#!/usr/bin/env python
"""Django's management commands for the active database; for development."""

import sys

from django.core.management import execute_from_command_line

import balsam


def main() -> None:
    """Run the command given on the command line."""
    balsam.setup()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
