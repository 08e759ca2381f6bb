"""`python -m bench`: print how fast the books are, beside pgbench running the same SQL."""

import argparse
import sys

from bench import fresh

_PARTS = ["service", "http", "selection", "planning", "tasks", "house", "money", "texts"]


def main() -> None:
    """Parse the options, create a database for the benchmark, run the requested parts."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 8, 32, 100], help="how many at once"
    )
    parser.add_argument("--only", choices=_PARTS, nargs="+", default=_PARTS)
    asked = parser.parse_args()
    fresh.database()
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench import parts  # noqa: PLC0415

    parts.run(seconds=asked.seconds, clients=asked.clients, only=asked.only, out=sys.stdout)


if __name__ == "__main__":
    main()
