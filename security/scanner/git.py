"""What Git has: staged content, tracked files, the changes since a commit, every version ever.

Contents come from Git's objects through one `git cat-file --batch`, never from the working tree.
Paths are read between NUL bytes, so that any name works.
"""

from __future__ import annotations

import os
import subprocess

from security.scanner.scan import Files, scan_name, scan_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from security.scanner.finding import Finding

_SUBMODULE = "160000"
_CHANGES = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-relative", "--diff-filter=ACMT")


class GitError(RuntimeError):
    """Git said no; the text is Git's."""


def run(*arguments: str) -> str:
    """What a command of Git prints."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise GitError(os.fsdecode(done.stderr).strip() or f"git {arguments[0]} failed")
    return os.fsdecode(done.stdout)


def config(name: str) -> list[str]:
    """The values of one of Git's settings; none if it is not set, or there is no Git."""
    try:
        return run("config", "--get-all", name).splitlines()
    except (GitError, OSError):
        return []


def scan_staged() -> Files:
    """The findings of each file that the next commit adds or changes."""
    return _scan(_changed(run("diff", "--cached", *_CHANGES)))


def scan_diff(base: str) -> Files:
    """The findings of each file that HEAD adds or changes since it left `base`."""
    return _scan(_changed(run("diff", *_CHANGES, "--end-of-options", f"{base}...HEAD")))


def scan_tracked() -> Files:
    """The findings of each file in the index."""
    return _scan(_indexed(run("ls-files", "--stage", "-z", "--full-name", ":/")))


def scan_history() -> Files:
    """The findings of each version of each file in any commit, once, with the commit."""
    files = _scan(_with_paths(run("rev-list", "--objects", "--all")))
    return Files(files.count, _with_commits(files.findings))


def _with_commits(files: Iterator[list[Finding]]) -> Iterator[list[Finding]]:
    """The same, with the commit that brought each file's version; Git is asked at the first one."""
    commits: dict[str, str] = {}
    for findings in files:
        if findings and not commits:
            commits = _commits_by_object()
        for finding in findings:
            finding.commit = commits.get(finding.object_id, "")
        yield findings


def _commits_by_object() -> dict[str, str]:
    """The first commit with each object: of rows `commit id`, `:mode mode id id status path`."""
    log = run(
        *("log", "--all", "--topo-order", "--reverse", "--root", "-m", "--raw", "--no-abbrev"),
        *("--no-renames", "--no-show-signature", "--format=commit %H"),
    )
    commits: dict[str, str] = {}
    commit = ""
    for row in log.split("\n"):
        if row.startswith("commit "):
            commit = row[len("commit ") :]
        elif row.startswith(":"):
            commits.setdefault(row.split(" ", 4)[3], commit)
    return commits


def _changed(raw: str) -> Iterator[tuple[str, str]]:
    """(object id, path) of the rows `:mode mode id id status`, NUL, path, NUL."""
    fields = raw.split("\0")
    for facts, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, object_id, _ = facts.split(" ")
        if mode != _SUBMODULE:
            yield object_id, path


def _indexed(listing: str) -> Iterator[tuple[str, str]]:
    """(object id, path) of the rows `mode id stage`, tab, path, NUL."""
    for row in listing.split("\0")[:-1]:
        facts, path = row.split("\t", 1)
        mode, object_id, _ = facts.split(" ")
        if mode != _SUBMODULE:
            yield object_id, path


def _with_paths(listing: str) -> Iterator[tuple[str, str]]:
    for row in listing.split("\n"):
        object_id, _, path = row.partition(" ")
        if path:
            yield object_id, path


def _scan(objects: Iterator[tuple[str, str]]) -> Files:
    listed = list(objects)
    return Files(len(listed), _findings(listed))


def _findings(objects: list[tuple[str, str]]) -> Iterator[list[Finding]]:
    with subprocess.Popen(
        ["git", "cat-file", "--batch"],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise GitError("git cat-file has no pipes")
        for object_id, path in objects:
            process.stdin.write(object_id.encode() + b"\n")
            process.stdin.flush()
            blob = _Object(process.stdout)
            if blob.type == "blob":
                findings = [*scan_name(path), *scan_stream(blob, path)]
                for finding in findings:
                    finding.object_id = object_id
                yield findings
            blob.skip()
        process.stdin.close()


class _Object:
    """One answer of `git cat-file --batch`: `id type size`, the content, a line's end."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        words = pipe.readline().decode().split()
        missing = len(words) != 3
        self.type = "" if missing else words[1]
        self._left = 0 if missing else int(words[2])
        self._end = 0 if missing else 1

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes of the content."""
        content = self._pipe.read(min(size, self._left))
        self._left -= len(content)
        return content

    def skip(self) -> None:
        """Go to the next answer."""
        while self.read(1_000_000):
            pass
        self._pipe.read(self._end)
