"""Parse the options and print the sections asked for."""

import argparse
import os
import sys
from pathlib import Path

from bench.prediction import (
    anomalies,
    censoring,
    drift,
    recordings,
    replay,
    texts,
    waste,
    within_run,
)

_SECTIONS = {
    "texts": texts.run,
    "drift": drift.run,
    "censoring": censoring.run,
    "within-run": within_run.run,
    "waste": waste.run,
    "replay": replay.run,
    "anomalies": anomalies.run,
}


def main() -> int:
    """Print the sections; 2 if the recordings are missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.prediction")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("BUTLER_BENCH_DATA"),
        help="the folder with the recordings (BUTLER_BENCH_DATA)",
    )
    parser.add_argument("--only", choices=sorted(_SECTIONS), help="one section")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the folds")
    asked = parser.parse_args()
    if asked.data is None:
        sys.stderr.write(
            "Name the folder with the recordings by --data or BUTLER_BENCH_DATA; "
            "docs/prediction.md says what its files have.\n"
        )
        return 2
    try:
        for name, section in _SECTIONS.items():
            if asked.only in (None, name):
                section(asked.data, asked.seeds, sys.stdout)
    except recordings.RecordingsMissing as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
