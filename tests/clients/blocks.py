"""The code blocks of docs/clients.md, run as a reader would run them."""

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOC = ROOT / "docs" / "clients.md"
CLIENTS = ROOT / "var" / "clients"
PYTHON = CLIENTS / "venv" / "bin" / "python"
COMMANDS = CLIENTS / "npm" / "node_modules" / ".bin"

# A fence says the language and the block's name: ```python openai-chat
_BLOCK = re.compile(r"^```(\w+) ([\w-]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_RUN = {
    "python": [str(PYTHON), "-"],
    "js": ["node", "--input-type=module"],
    "sh": ["bash", "-eu"],
}
_SECONDS = 120


@dataclass(frozen=True)
class Ran:
    """What came of a block; `said`: all it printed."""

    code: int
    out: str
    said: str


@cache
def blocks() -> dict[str, tuple[str, str]]:
    """Language and code of every named block of the page."""
    return {name: (kind, code) for kind, name, code in _BLOCK.findall(DOC.read_text())}


def run(*names: str, home: Path, **variables: str) -> Ran:
    """Run blocks of one language as one program, in a fresh home directory."""
    assert not (why := missing()), why
    kinds, codes = zip(*(blocks()[name] for name in names), strict=True)
    (kind,) = set(kinds)
    done = subprocess.run(
        _RUN[kind],
        input="".join(codes),
        # Where node looks for packages; the commands work in a directory of their own.
        cwd=CLIENTS / "npm" if kind == "js" else home,
        env=_environ(home) | variables,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    return Ran(done.returncode, done.stdout, done.stdout + done.stderr)


def missing() -> str | None:
    """What is not installed, or is of another version than the tests were written for."""
    wanted = Path(__file__).parent
    for name in ("requirements.txt", "package-lock.json"):
        there = CLIENTS / name
        if not there.exists() or there.read_bytes() != (wanted / name).read_bytes():
            return f"tests/clients/{name} is not installed: `make clients` installs it"
    return None


def _environ(home: Path) -> dict[str, str]:
    """Nothing of whoever runs the tests: no key, no proxy, no settings of theirs."""
    return {
        "PATH": f"{COMMANDS}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
    }
