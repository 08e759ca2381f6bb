"""Sessions and history of a state file, read once: what is wrong with them, and their digest."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from jsonschema.exceptions import ValidationError

from interchange.state_files import schemas

# An error with its path in the document.
Error = tuple[list[str | int], ValidationError]


class _Spool(Protocol):
    """A file of bytes."""

    def write(self, content: bytes, /) -> int: ...
    def seek(self, offset: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...


class Sessions:
    """Reads the sessions once, for what is wrong with them, their number and their digest.

    `of_keys`: the first session on each API key. `spool`: a file for their JSON, since the digest
    has them by name.
    """

    def __init__(self, sessions: Iterable[tuple[str, Any]], spool: _Spool) -> None:
        self.count, self.of_keys = 0, dict[str, str]()
        self._sessions, self._spool = sessions, spool
        self._places: list[tuple[str, int, int]] = []

    def errors(self) -> Iterator[Error]:
        """Each error with its path in the document."""
        is_name, check, at = schemas.names_check(), schemas.check_of("allocation"), 0
        for name, entry in self._sessions:
            if not (is_name(name) and check(entry)):
                for error in schemas.errors_of_session(name, entry):
                    yield list(error.absolute_path), error
            if isinstance(entry, dict) and isinstance(slug := entry.get("keyId"), str):
                self.of_keys.setdefault(slug, name)
            content = f"{json.dumps(name)}: {json.dumps(entry, sort_keys=True)}".encode()
            self._spool.write(content)
            self._places.append((name, at, len(content)))
            at += len(content)
            self.count += 1

    def by_name(self) -> Iterator[bytes]:
        """The members of the object as JSON, sorted by name."""
        for _, at, length in sorted(self._places):
            self._spool.seek(at)
            yield self._spool.read(length)


class Events:
    """Reads the history once, for what is wrong with it, its length and its digest."""

    def __init__(self, history: Iterable[Any]) -> None:
        self.count, self.digest = 0, hashlib.sha256()
        self._history = history

    def errors(self) -> Iterator[Error]:
        """Each error with its path in the document."""
        check, validator = schemas.check_of("event"), schemas.validator_of("event")
        for number, entry in enumerate(self._history):
            if not check(entry):
                for error in validator.iter_errors(entry):
                    yield ["history", number, *error.absolute_path], error
            self.digest.update(json.dumps(entry, sort_keys=True).encode())
            self.count += 1


def digest_of(
    digest: "hashlib._Hash", state: dict[str, Any], sessions: Sessions, api_keys: dict[str, Any]
) -> str:
    """With `[state, api_keys]` as sorted JSON, of which the sessions are in a file."""
    separator = "[{"
    for name in sorted(state):
        digest.update(f"{separator}{json.dumps(name)}: ".encode())
        if name == "allocations":
            begin = b"{"
            for member in sessions.by_name():
                digest.update(begin + member)
                begin = b", "
            digest.update(b"}" if sessions.count else b"{}")
        else:
            digest.update(json.dumps(state[name], sort_keys=True).encode())
        separator = ", "
    digest.update(f"}}, {json.dumps(api_keys, sort_keys=True)}]".encode())
    return digest.hexdigest()
