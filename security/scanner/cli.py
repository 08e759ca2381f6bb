"""The command `gate`: `python -m security.scanner` and `manage.py gate`.

A hook starts it with each commit: what only some of the commands need is imported by its name.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from security.scanner import scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from security.scanner.finding import Finding

USAGE = """usage: gate scan PATH…            scan files and folders
       gate scan --staged         what the next commit adds or changes
       gate scan --tracked        every file in Git's index
       gate scan --history        every version of every file in every commit
       gate scan --diff BASE      what changed since HEAD left BASE
       gate scan --stdin          standard input
       gate install               hooks before a commit, a merge and a push
       gate accelerate            compile the rules for Hyperscan, if it is installed: large
                                  scans take half of the time
Options of scan:
  --format text|json|sarif        the form of the report (default text)
  --output FILE                   write the report there
  --baseline FILE                 pass over the findings in this file (default: that of
                                  .gate-baseline.json, if it exists)
  --write-baseline FILE           write the findings to this file, and report none
  --report URL                    also send the findings, redacted, to the Butler at this address,
                                  with the token of an agent in BUTLER_GATE_TOKEN
  --report-secrets                send the secrets too, so that Butler finds its own among them
Exit code: 0 nothing was found, 1 something was found, 2 anything else went wrong.
"""
_GIT_SOURCES = {"staged": "scan_staged", "tracked": "scan_tracked", "history": "scan_history"}
_FORMATS = {
    "text": ("report_text", "report"),
    "json": ("report_json", "report"),
    "sarif": ("report_json", "report_sarif"),
}
_SOURCES = frozenset(("staged", "tracked", "history", "stdin"))
_FLAGS = _SOURCES | {"report-secrets"}
_VALUED = frozenset(("diff", "format", "output", "baseline", "write-baseline", "report"))
_PROGRESS_FILES = 50
_BAR_CHARACTERS = 30
_BASELINE = ".gate-baseline.json"


class UsageError(Exception):
    """The command line makes no sense; the text says why."""


def gate() -> int:
    """The console script."""
    return main(sys.argv[1:])


def main(arguments: list[str]) -> int:
    """Run the command and return the exit code. Errors go to standard error."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return _run(arguments)
    except UsageError as wrong:
        sys.stderr.write(f"gate: {wrong}\n{USAGE}")
    except (OSError, ValueError, RuntimeError, ImportError) as wrong:
        sys.stderr.write(f"gate: {wrong}\n")
    return 2


def _run(arguments: list[str]) -> int:
    match arguments:
        case ["scan", *rest]:
            return _scan(*_options(rest))
        case ["install"]:
            sys.stdout.write(_module("hook").install())
            return 0
        case ["accelerate"]:
            sys.stdout.write(f"Compiled {_module('accelerator').compile_file()}\n")
            return 0
        case ["pre-push", url]:
            code, text = _module("hook").pre_push(url)
            sys.stderr.write(text)
            return int(code)
        case ["help" | "--help" | "-h"]:
            sys.stdout.write(USAGE)
            return 0
    raise UsageError("unknown command" if arguments else "say what to do")


def _module(name: str) -> Any:
    return import_module(f"security.scanner.{name}")


def _options(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    paths: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.removeprefix("--").partition("=")
        if argument == "--":
            paths += rest
        elif not argument.startswith("--"):
            paths.append(argument)
        elif name in _FLAGS and not equals:
            options[name] = ""
        elif name in _VALUED:
            options[name] = value if equals else next(rest, "")
        else:
            raise UsageError(f"unknown option {argument}")
    return options, paths


def _scan(options: dict[str, str], paths: list[str]) -> int:
    if options.get("format", "text") not in _FORMATS:
        raise UsageError(f"unknown format {options['format']}")
    findings = [finding for some in _progress(_source(options, paths)) for finding in some]
    if "write-baseline" in options:
        _module("baseline").write(findings, options["write-baseline"])
        return 0
    if findings and (known := options.get("baseline") or _own_baseline()):
        findings = _module("baseline").without_known(findings, known)
    module, function = _FORMATS[options.get("format", "text")]
    _write(getattr(_module(module), function)(findings), options.get("output"))
    if findings and ("report" in options or "staged" in options):
        _send(findings, options)
    return int(bool(findings))


def _send(findings: list[Finding], options: dict[str, str]) -> None:
    if destination := _module("destination").Destination.of(options):
        sys.stderr.write(f"gate: {_module('butler_client').send(findings, destination)}\n")


def _own_baseline() -> str | None:
    return _BASELINE if os.path.exists(_BASELINE) else None


def _source(options: dict[str, str], paths: list[str]) -> scan.Files:
    chosen = [name for name in options if name in _SOURCES or name == "diff"]
    if len(chosen) + bool(paths) != 1:
        raise UsageError("say one thing to scan")
    if paths:
        return scan.scan_paths(paths)
    if chosen == ["stdin"]:
        return scan.Files(1, iter([scan.scan_stream(sys.stdin.buffer, "-")]))
    if chosen == ["diff"]:
        return _git("scan_diff", options["diff"])
    return _git(_GIT_SOURCES[chosen[0]])


def _git(function: str, *arguments: str) -> scan.Files:
    found: scan.Files = getattr(_module("git"), function)(*arguments)
    return found


def _progress(files: scan.Files) -> Iterator[list[Finding]]:
    """The findings of each file; a bar on a terminal grows with them."""
    bar = files.count > _PROGRESS_FILES and sys.stderr.isatty()
    for number, findings in enumerate(files.findings):
        if bar and number % _PROGRESS_FILES == 0:
            done = "#" * (_BAR_CHARACTERS * number // files.count)
            sys.stderr.write(f"\r[{done:{_BAR_CHARACTERS}}] {number:,} of {files.count:,} files")
        yield findings
    if bar:
        sys.stderr.write("\r\033[K")


def _write(report: str, path: str | None) -> None:
    if path is None:
        sys.stdout.write(report)
        return
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(report)
