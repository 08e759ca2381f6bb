#!/usr/bin/env -S python3 -I -S
"""`python -m security.scanner`, and a script that runs from a checkout without being installed."""

import sys

if not __package__:
    sys.path.append(__file__.rsplit("/", 3)[0])

from security.scanner.cli import main  # noqa: E402  the path is set above

sys.exit(main(sys.argv[1:]))
