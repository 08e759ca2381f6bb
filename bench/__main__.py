"""`python -m bench`: print how fast the books are, beside pgbench running the same SQL."""

import argparse
import sys

from bench import fresh

_PARTS = ["service", "http", "selection", "planning", "tasks"]


def main() -> None:
    """Parse, make a database of our own, run the parts asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 8, 32, 100], help="how many at once"
    )
    parser.add_argument("--only", choices=_PARTS, nargs="+", default=_PARTS)
    asked = parser.parse_args()
    fresh.database()
    # What has models needs the settings, which name our database only now.
    from bench import parts  # noqa: PLC0415

    parts.run(seconds=asked.seconds, clients=asked.clients, only=asked.only, out=sys.stdout)


if __name__ == "__main__":
    main()
