"""Read and write state files without losing anything."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from common.refusal import Refusal

STATE_FILE = "token-manager-state.json"
KEYS_FILE = "api-keys.json"
# In `modelFallbacks` of the latter: what serves calls that no API key can take.
NO_KEY = "noKey"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@dataclass(kw_only=True, eq=False)
class MalformedFile(Refusal):
    """The `file` cannot be imported. `pointer` (a JSON pointer) names the wrong value."""

    file: str
    pointer: str | None = None


def read(path: Path) -> Any:
    """The JSON value in a file, with every number unchanged. Refusals: MalformedFile."""
    try:
        return parse(path.read_bytes(), file=path.name)
    except OSError as error:
        raise MalformedFile(f"{path} cannot be read: {error.strerror}.", file=str(path)) from None


def parse(content: bytes, *, file: str) -> Any:
    """The JSON value in `content`. Refusals: MalformedFile, which names line and column."""
    try:
        return decoder().decode(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MalformedFile(f"{file}: {explained(error)}.", file=file) from None


def decoder() -> json.JSONDecoder:
    """Reads JSON strictly: no name twice in an object, no numbers that JSON does not allow."""
    return json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_float)


def explained(error: Exception) -> str:
    """What is wrong with the text, from the error of its reader."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has {json.dumps(twice)} twice")
    return members


def _float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is not a number that JSON allows")
    return number


def refuse_value(*, file: str, path: list[str | int], expected: str) -> NoReturn:
    """Refuse the value at `path`; the message names it by its JSON pointer."""
    at = pointer(path)
    where = at or "the whole document"
    raise MalformedFile(f"{file}: {where}: {expected}.", file=file, pointer=at)


def pointer(path: list[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


@contextmanager
def written(folder: Path, name: str) -> Iterator[IO[str]]:
    """A new file of this name for its owner only, in place once it is complete and on the disk.

    Until then, and after an error, the earlier file stands there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, fresh = folder / name, folder / f".{name}.{os.getpid()}"
    try:
        # ASCII, because a lone surrogate cannot be encoded in UTF-8, but its escape can be written.
        with open(os.open(fresh, _NEW, 0o600), "w", encoding="ascii") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
