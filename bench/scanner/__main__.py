"""`python -m bench.scanner`: what the secret scanner finds and misses, beside other scanners.

The corpus is made at run time with a fixed seed: secrets from the formats that vendors publish, in
the ways people write them down, and clean files of installed packages. A finding counts for a
line. `--show` lists what our scanner missed and what it reported without cause.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.scanner import corpus, speed, tools
from bench.scanner.placements import Leak


class Score(NamedTuple):
    """How the findings of a scanner compare with the labels."""

    found: list[Leak]
    missed: list[Leak]
    false_alarms: list[tuple[str, int]]

    @property
    def precision(self) -> float:
        return len(self.found) / max(len(self.found) + len(self.false_alarms), 1)

    @property
    def recall(self) -> float:
        return len(self.found) / (len(self.found) + len(self.missed))

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def score(leaks: Iterable[Leak], places: tools.Places) -> Score:
    """A leak is found by a finding in one of its lines; any other finding is a false alarm."""
    lines = {
        leak: {(leak.path, line) for line in range(leak.first, leak.last + 1)} for leak in leaks
    }
    return Score(
        [leak for leak in lines if lines[leak] & places],
        [leak for leak in lines if not lines[leak] & places],
        sorted(places - set().union(*lines.values())),
    )


def main() -> None:
    """Write the corpus, run each scanner on it, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scanner",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--show", action="store_true", help="list what was missed or false")
    parser.add_argument("--only", nargs="+", help="scanners to run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "corpus"
        made = corpus.write(folder)
        _print(f"{len(made.leaks)} leaks, {made.clean_lines:,} clean lines\n")
        _print(f"{'scanner':15} precision  recall     F1  CPU seconds")
        for tool in tools.installed():
            if options.only and tool.name not in options.only:
                continue
            ran = tools.run(tool, folder, Path(temporary) / f"{tool.name}.json")
            result = score(made.leaks, ran.places)
            _print(
                f"{tool.name:15} {result.precision:9.1%} {result.recall:7.1%} {result.f1:6.3f} {ran.seconds:12.1f}"
            )  # noqa: E501
            if options.show:
                _show(folder, result)
    speed.report(_print)


def _show(folder: Path, result: Score) -> None:
    for leak in result.missed:
        _print(f"  missed {leak.path}:{leak.first}: {_line(folder, leak.path, leak.first)}")
    for path, line in result.false_alarms:
        _print(f"  false  {path}:{line}: {_line(folder, path, line)}")


def _line(folder: Path, path: str, number: int) -> str:
    lines = (folder / path).read_text(errors="replace").split("\n")
    return lines[number - 1].strip()[:160] if number <= len(lines) else ""


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
