"""A repository of Git, and the scanner as the hooks start it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from security.scanner.rules import BY_ID
from tests.security.scanner.bodies import body

ROOT = Path(__file__).resolve().parents[3]
KEY = body(BY_ID["nvidia-key"])
LEAK = f"a = 1\nkey = {KEY}\n"


class Repository:
    """A repository in a folder of its own, apart from all settings of the machine."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def run(self, *command, check=True, **changes):
        """Without a terminal; `changes` of the environment."""
        environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        environment |= {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_AUTHOR_NAME": "ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            **changes,
        }
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
        )

    def git(self, *arguments, check=True, **changes):
        command = ("git", "-c", "protocol.file.allow=always", *arguments)
        return self.run(*command, check=check, **changes)

    def write(self, name, text=LEAK):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, name, text=LEAK):
        self.write(name, text)
        self.git("add", "--", name)

    def commit(self, *arguments, check=True, **changes):
        command = ("commit", "--quiet", "--message=change", *arguments)
        return self.git(*command, check=check, **changes)

    def refused(self, *arguments, **changes):
        """What a commit says that is stopped."""
        done = self.commit(*arguments, check=False, **changes)
        assert done.returncode == 1, done
        return done.stdout + done.stderr

    def gate(self, *arguments):
        script = str(ROOT / "security" / "scanner" / "__main__.py")
        return self.run(sys.executable, "-I", "-S", script, *arguments, check=False)

    def places(self, *arguments):
        """`path:line` of each finding."""
        printed = self.gate("scan", *arguments)
        assert printed.returncode in (0, 1), printed.stderr
        assert KEY not in printed.stdout + printed.stderr
        rows = [row for row in printed.stdout.splitlines() if ": nvidia-key: " in row]
        return [row.split(": nvidia-key: ")[0].rsplit(":", 1)[0] for row in rows]


@pytest.fixture
def repository(tmp_path):
    """An empty repository."""
    return Repository(tmp_path / "work")
