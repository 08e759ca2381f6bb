"""`python -m bench.hostile`: what one attacker takes from ten honest agents.

The agents make 50 calls a second. Before each kind of attack they are measured alone, then under
the attack; the times count from when a call was due. Load, attacker, provider and PostgreSQL run on
the same machine: on two cores an attack that costs Butler nothing still shows.
"""

import argparse
import sys

from bench import fresh
from bench.hostile.attacks import KINDS


def main() -> None:
    """Parse the options, start a database, run the requested kinds."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=10, help="length of one measurement")
    parser.add_argument("--per-second", type=float, default=50, help="calls of the honest agents")
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    options = parser.parse_args()
    fresh.database()
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench.hostile import run  # noqa: PLC0415

    run.run(options, sys.stdout)


if __name__ == "__main__":
    main()
