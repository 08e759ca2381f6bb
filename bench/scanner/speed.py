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
from typing import NamedTuple

_BYTES = 20_000_000
_FILE_BYTES_MAX = 400_000
_ROOT = Path(__file__).resolve().parents[2]
_GATE = [sys.executable, "-I", "-S", str(_ROOT / "security" / "scanner" / "__main__.py")]
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
        if accelerator := _accelerated(Path(temporary)):
            took = _measure(["scan", str(folder)], folder, accelerator)
            write(row.format("the same, with Hyperscan", *took))
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


class _Gate(NamedTuple):
    """How the scanner is started."""

    command: list[str]
    environment: dict[str, str]


def _accelerated(folder: Path) -> _Gate | None:
    """The scanner with what Hyperscan compiled; None if Hyperscan is not installed."""
    gate = _Gate(
        [sys.executable, "-m", "security.scanner"],
        {**os.environ, "XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(_ROOT)},
    )
    done = subprocess.run(
        [*gate.command, "accelerate"], env=gate.environment, capture_output=True, check=False
    )
    return None if done.returncode else gate


def _measure(arguments: list[str], folder: Path, gate: _Gate | None = None) -> tuple[float, float]:
    """The least (CPU time, time) in milliseconds of some runs."""
    gate = gate or _Gate(_GATE, dict(os.environ))
    return min(_once(arguments, folder, gate) for _ in range(_REPEATS))


def _use_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _once(arguments: list[str], folder: Path, gate: _Gate) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [*gate.command, *arguments],
        cwd=folder,
        env=gate.environment,
        stdout=subprocess.DEVNULL,
        preexec_fn=_use_one_core,
        check=False,
    )
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu * 1_000, took * 1_000
