"""Scan files, by their content and by their name."""

from __future__ import annotations

import os
import re
from importlib import import_module

from security.scanner import texts
from security.scanner.engine import ALL_SEARCHES, scan_text
from security.scanner.finding import Finding
from security.scanner.rules import FILE_RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from security.scanner.accelerator import Searches

_LARGE_BYTES = 4_000_000
_FILES_OF_A_CHUNK = 16
_SKIPPED_FOLDERS = frozenset(
    (".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache")
)


def _all_searches(text: str) -> frozenset[str]:
    return ALL_SEARCHES


class Files:
    """How many files there are, and the findings of one after the other."""

    def __init__(self, count: int, findings: Iterator[list[Finding]]) -> None:
        self.count = count
        self.findings = findings


def scan_stream(
    stream: texts.Readable, path: str, searches: Searches = _all_searches
) -> list[Finding]:
    """The secrets in a file; `searches` says of a text what it needs."""
    findings: dict[tuple[str, int, str], Finding] = {}
    for first_line, text in texts.windows(stream):
        for finding in scan_text(text, path, searches(text)):
            finding.line += first_line - 1
            finding.end_line += first_line - 1
            findings.setdefault((finding.rule, finding.line, finding.secret), finding)
    return list(findings.values())


def scan_name(path: str) -> list[Finding]:
    """A finding if a file of this name is never committed."""
    for rule, excepted in FILE_RULES:
        if re.search(rule.expression, path) and not (excepted and re.search(excepted, path)):
            finding = Finding(rule, "", certain=False, doubtful=False)
            finding.path = path
            return [finding]
    return []


def scan_paths(paths: list[str]) -> Files:
    """The findings of each file and of all files in a folder; OSError if a path is neither."""
    files = [file for path in paths for file in files_below(path)]
    return Files(len(files), _findings(files))


def _findings(files: list[str]) -> Iterator[list[Finding]]:
    if sum(map(_size, files)) < _LARGE_BYTES:
        yield from map(scan_file, files)
    elif searches := import_module("security.scanner.accelerator").load():
        for file in files:
            yield scan_file(file, searches)
    else:
        yield from _findings_of_many_cores(files)


def _findings_of_many_cores(files: list[str]) -> Iterator[list[Finding]]:
    processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if processes == 1:
        yield from map(scan_file, files)
        return
    # Takes 65 ms to import: as long as scanning a megabyte.
    futures, multiprocessing = map(import_module, ("concurrent.futures", "multiprocessing"))
    with futures.ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(scan_file, files, chunksize=_FILES_OF_A_CHUNK)


def _size(path: str) -> int:
    return os.lstat(path).st_size


def scan_file(path: str, searches: Searches = _all_searches) -> list[Finding]:
    """The secrets in a file on disk; a link is not followed, its target is the text."""
    if os.path.islink(path):
        return scan_text(os.readlink(path), path)
    with open(path, "rb") as stream:
        return scan_stream(stream, path, searches)


def files_below(path: str) -> Iterator[str]:
    """A file itself, or all files in a folder but those of tools."""
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            file = os.path.normpath(os.path.join(folder, name))
            if os.path.isfile(file) or os.path.islink(file):
                yield file
