#!/usr/bin/env python
"""Django's command line, with the embedded Postgres running for commands that need it."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaiweb.settings")
    from gaiweb.command_line import run

    run(sys.argv)


if __name__ == "__main__":
    main()
