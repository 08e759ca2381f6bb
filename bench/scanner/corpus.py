"""The labelled corpus: files with leaks whose lines are known, and files without."""

import random
from pathlib import Path
from typing import NamedTuple

from bench.scanner.clean import clean_files
from bench.scanner.placements import Leak, leaks
from bench.scanner.vendors import KINDS

_SEED = 12
_FILES_OF_A_KIND = 8


class Corpus(NamedTuple):
    """What was written into `folder`."""

    folder: Path
    leaks: list[Leak]
    clean_lines: int


def write(folder: Path) -> Corpus:
    """The same files at each run, as long as the installed packages are the same."""
    source = random.Random(_SEED)  # noqa: S311  must be the same at each run
    planted = [leak for kind in KINDS for leak in leaks(kind, source, _FILES_OF_A_KIND)]
    lines = sum(leak.content.count(b"\n") for leak in planted) - len(planted)
    for leak in planted:
        _write(folder / leak.path, leak.content)
    for path, content in clean_files(source):
        _write(folder / path, content)
        lines += content.count(b"\n")
    return Corpus(folder, planted, lines)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
