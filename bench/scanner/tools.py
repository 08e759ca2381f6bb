"""The scanners: how each is started on a folder, and which lines it reports."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Places = set[tuple[str, int]]
_ROOT = Path(__file__).resolve().parents[2]
_OTHERS = _ROOT / "var" / "scanners" / "bin"


class Tool(NamedTuple):
    """A scanner: its command for (folder, report), and the (path, line) pairs of its report."""

    name: str
    command: Callable[[Path, Path], list[str]]
    places: Callable[[Any], Places]
    program: str = sys.executable


class Run(NamedTuple):
    """What a scanner reported, and the seconds and CPU seconds that it took."""

    places: Places
    seconds: float


def installed() -> list[Tool]:
    """The scanners that this machine has; ours is the first."""
    return [tool for tool in _TOOLS if shutil.which(tool.program)]


def run(tool: Tool, folder: Path, report: Path) -> Run:
    """Scan the folder; the scanner's own report is left in `report`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with report.with_suffix(".out").open("wb") as output:
        subprocess.run(
            tool.command(folder, report), stdout=output, stderr=subprocess.DEVNULL, check=False
        )  # noqa: E501
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not report.exists():
        report = report.with_suffix(".out")
    found = tool.places(json.loads(report.read_text()))
    relative = {(os.path.relpath(os.path.join(folder, path), folder), line) for path, line in found}
    return Run(relative, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


_TOOLS = [
    Tool(
        "gate",
        lambda folder, report: [
            sys.executable, "-I", "-S", str(_ROOT / "security/scanner/__main__.py"),
            "scan", str(folder), "--format=json", f"--output={report}",
        ],
        lambda found: {(row["path"], row["line"]) for row in found},
    ),
    Tool(
        "gitleaks",
        lambda folder, report: [
            str(_gitleaks()), "detect", "--no-git", "--no-banner", "--exit-code=0",
            f"--source={folder}", "--report-format=json", f"--report-path={report}",
        ],
        lambda found: {(row["File"], row["StartLine"]) for row in found},
        "gitleaks",
    ),
    Tool(
        "detect-secrets",
        lambda folder, report: [
            str(_OTHERS / "detect-secrets"), "-C", str(folder), "scan", "--all-files", ".",
        ],
        lambda found: {
            (row["filename"], row["line_number"]) for rows in found["results"].values() for row in rows
        },
        str(_OTHERS / "detect-secrets"),
    ),
    Tool(
        "credsweeper",
        lambda folder, report: [
            str(_OTHERS / "credsweeper"), "--path", str(folder), "--save-json", str(report),
        ],
        lambda found: {
            (line["path"], line["line_num"]) for row in found for line in row["line_data_list"]
        },
        str(_OTHERS / "credsweeper"),
    ),
]  # fmt: skip


def _gitleaks() -> str:
    return shutil.which("gitleaks") or "gitleaks"
