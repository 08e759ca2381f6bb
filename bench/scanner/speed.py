"""How long the scanner takes: 20 MB of code, its start, and a commit of 20 files."""

import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_BYTES = 20_000_000
_FILE_BYTES_MAX = 400_000
_GATE = [
    *(sys.executable, "-I", "-S"),
    str(Path(__file__).resolve().parents[2] / "security" / "scanner" / "__main__.py"),
]
_REPEATS = 5


def report(write: Callable[[str], None]) -> None:
    """Measure whole processes, on one core, and write a line for each."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "code"
        size = _copy_code(folder)
        row = "{:34} {:7.0f} ms CPU {:7.0f} ms"
        write("")
        write(
            row.format(
                f"scan {size / 1e6:.1f} MB of code", *_measure(["scan", str(folder)], folder)
            )
        )
        (folder / "one.txt").write_text("nothing\n")
        write(row.format("scan one small file", *_measure(["scan", "one.txt"], folder)))
        _stage(folder / "repository")
        write(
            row.format(
                "scan 20 staged files", *_measure(["scan", "--staged"], folder / "repository")
            )
        )


def _copy_code(folder: Path) -> int:
    size = 0
    for number, path in enumerate(_code()):
        if size >= _BYTES:
            break
        target = folder / str(number % 100) / f"{number}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        size += path.stat().st_size
    return size


def _code() -> Iterator[Path]:
    packages = Path(sysconfig.get_paths()["purelib"])
    for path in sorted(packages.rglob("*")):
        if path.suffix in (".py", ".js", ".json") and path.stat().st_size < _FILE_BYTES_MAX:
            yield path


def _stage(folder: Path) -> None:
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    for number, path in zip(range(20), _code(), strict=False):
        (folder / f"{number}-{path.name}").write_bytes(path.read_bytes())
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)


def _measure(arguments: list[str], folder: Path) -> tuple[float, float]:
    """The least (CPU time, time) in milliseconds of some runs."""
    return min(_once(arguments, folder) for _ in range(_REPEATS))


def _use_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _once(arguments: list[str], folder: Path) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [*_GATE, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        preexec_fn=_use_one_core,
        check=False,
    )
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu * 1_000, took * 1_000
