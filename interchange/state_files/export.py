"""Write both state files from the rows, entry by entry.

Imported values that have not changed since are as in the imported files, including those that
Butler does not know.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from interchange.models import ImportedEntry, ImportedState
from interchange.state_files import files
from interchange.state_files.merge import merge
from interchange.state_files.render import rendering
from interchange.state_files.sections import SECTIONS, Section
from interchange.state_files.storable import iso

_CHUNK = 1_000
# Entries between two calls of `progress`.
_STEP = 10_000
_INDENT = "  "
_EMPTY: dict[str, Any] = {
    "state": {"version": "1.0", "keys": {}} | {name.value: {} for name in SECTIONS},
    "api_keys": {"version": "1.0", "keys": {}},
}


def write(folder: Path, *, now: datetime, progress: Callable[[int], None]) -> list[Path]:
    """Write both files; returns their paths. `progress` is told how many entries were written.

    `timestamp` is `now` if anything has changed since an import. OSError.
    """
    imported = ImportedState.objects.first()
    original = json.loads(imported.original) if imported else _EMPTY
    then = json.loads(imported.rendered) if imported else {"state": {}, "api_keys": {}}
    merged = merge(original, then, json.loads(json.dumps(rendering(now=now))))
    api_keys = {**merged["api_keys"], "keys": list(merged["api_keys"]["keys"].values())}
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        spooled = {
            name: _Spool(stack.enter_context(_temporary(folder)), section, progress)
            for name, section in SECTIONS.items()
        }
        changed = sum(spool.fill() for spool in spooled.values()) > 0
        state = merged["state"] | {
            name.value: spool
            for name, spool in spooled.items()
            if spool.count or name in merged["state"]
        }
        if changed or merged != original or not imported:
            state["timestamp"] = iso(now)
        # Both are complete before one of them is in its place.
        with (
            files.written(folder, files.STATE_FILE) as state_file,
            files.written(folder, files.KEYS_FILE) as keys_file,
        ):
            _write_object(state, state_file)
            _write_object(api_keys, keys_file)
    return [folder / files.STATE_FILE, folder / files.KEYS_FILE]


def _temporary(folder: Path) -> IO[str]:
    """A file without a name, on the disk where there must be room for it anyway."""
    return TemporaryFile("w+", encoding="ascii", dir=folder)


class _Spool:
    """The entries of a section as JSON, until it is known whether any has changed."""

    def __init__(self, file: IO[str], section: Section, progress: Callable[[int], None]) -> None:
        self.count = 0
        self._file, self._section, self._progress = file, section, progress

    def fill(self) -> bool:
        """Write all entries; returns whether they differ from the imported ones."""
        changed = False
        for name, entry, is_new in _entries(self._section):
            changed |= is_new
            if entry:
                self._write(name, entry)
        self._progress(self.count % _STEP)
        return changed

    def copy_to(self, file: IO[str]) -> None:
        """Write the object or list, a line for each entry."""
        begin, end = "{}" if self._section.is_object else "[]"
        file.write(begin)
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, 1 << 20)
        file.write(f"\n{_INDENT}{end}" if self.count else end)

    def _write(self, name: str, entry: str) -> None:
        comma = "," if self.count else ""
        named = f"{json.dumps(name)}: " if self._section.is_object else ""
        self._file.write(f"{comma}\n{_INDENT * 2}{named}{entry}")
        self.count += 1
        if self.count % _STEP == 0:
            self._progress(_STEP)


def _write_object(document: dict[str, Any], file: IO[str]) -> None:
    separator = "{"
    for name, value in document.items():
        file.write(f"{separator}\n{_INDENT}{json.dumps(name)}: ")
        if isinstance(value, _Spool):
            value.copy_to(file)
        else:
            # A text of JSON has no line breaks within its strings.
            file.write(json.dumps(value, indent=2).replace("\n", f"\n{_INDENT}"))
        separator = ","
    file.write("\n}\n")


def _entries(section: Section) -> Iterator[tuple[str, str, bool]]:
    """The name and the JSON of each entry, and whether it is new or has changed since the import.

    Those of the imported files come first, in their order. The JSON is empty for an entry whose
    row is gone.
    """
    written: dict[int, str] = {}
    stored = section.entries().iterator(chunk_size=_CHUNK)
    while chunk := list(islice(stored, _CHUNK)):
        written |= {entry.row: entry.rendered for entry in chunk if entry.position is None}
        yield from _imported([entry for entry in chunk if entry.position is not None], section)
    yield from _written_by_import(written, section)
    for entry in section.others():
        yield entry.name, entry.text, True


def _imported(entries: list[ImportedEntry], section: Section) -> Iterator[tuple[str, str, bool]]:
    if entries and not entries[0].rendered:  # History never changes.
        yield from (("", entry.original, False) for entry in entries)
        return
    rows = section.of(entry.row for entry in entries)
    for entry in entries:
        if not (row := rows.get(entry.row)):
            yield "", "", True
            continue
        then, now = json.loads(entry.rendered), json.loads(row.text)
        if now == then:
            yield row.name, entry.original, False
        else:
            yield row.name, json.dumps(merge(json.loads(entry.original), then, now)), True


def _written_by_import(rows: dict[int, str], section: Section) -> Iterator[tuple[str, str, bool]]:
    """Those of the rows that have changed; the others are in no file."""
    if not any(rows.values()):
        return
    for entry in section.of(rows).values():
        if json.loads(entry.text) != json.loads(rows[entry.row]):
            yield entry.name, entry.text, True
