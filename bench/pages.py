"""`python -m bench.pages`: what the pages of the dashboard take on a database with many charges.

Every URL of the dashboard that answers a person with a page, and each fragment and file that such a
page links to, through the web server, with the session of an administrator.
"""

import argparse
import sys
from pathlib import Path

from bench import fresh


def main() -> None:
    """Parse the options, fill a database, open every page."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--charges", type=int, default=1_000_000, help="how many are written")
    parser.add_argument("--transfers", type=int, default=1_000_000, help="of the ledger of money")
    parser.add_argument("--times", type=int, default=20, help="how often each page is opened")
    parser.add_argument(
        "--folder", type=Path, help="where the database stays; one that is there is used again"
    )
    asked = parser.parse_args()
    fresh.database(asked.folder)
    # Modules with models need the settings, which name the database only from here on.
    from bench import page_load  # noqa: PLC0415

    page_load.fill(asked.charges, asked.transfers)
    page_load.run(times=asked.times, out=sys.stdout)


if __name__ == "__main__":
    main()
