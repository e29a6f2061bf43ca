#!/usr/bin/env python
"""Django's commands, with the database and the broker started when none are running."""

import os
import sys

from django.core.management import execute_from_command_line

from config import embedded

NEEDS_NOTHING = {"help", "version", "--help", "--version", "check", "spectacular"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # A terminal shows answers; it is a service's log that shows events.
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    if len(sys.argv) < 2 or sys.argv[1] in NEEDS_NOTHING or "--help" in sys.argv:
        execute_from_command_line(sys.argv)
        return
    try:
        with embedded.parts(embedded.data_dir()):
            execute_from_command_line(sys.argv)
    except embedded.EmbeddedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
