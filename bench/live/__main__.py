"""`python -m bench.live`: 200 open dashboards beside 50 calls a second of agents.

The agents are measured alone and with the dashboards, in turns, because a busy machine changes from
minute to minute. The dashboards are of four audiences. Load, browsers, provider and PostgreSQL run
on the same machine.
"""

import argparse
import sys

from bench import fresh


def main() -> None:
    """Parse the options, start a database, measure."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dashboards", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=50, help="calls of the agents")
    parser.add_argument("--seconds", type=float, default=20, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    options = parser.parse_args()
    fresh.database()
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench.live import run  # noqa: PLC0415

    run.run(options, sys.stdout)


if __name__ == "__main__":
    main()
