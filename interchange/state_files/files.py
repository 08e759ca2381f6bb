"""Read and write state files without losing anything."""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from common.refusal import Refusal

STATE_FILE = "token-manager-state.json"
KEYS_FILE = "api-keys.json"
# In `modelFallbacks` of the latter: what serves calls that no API key can take.
NO_KEY = "noKey"


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
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_float=_float,
            parse_constant=_float,
        )
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is not UTF-8"
    except RecursionError:
        what = "it is nested too deeply"
    except ValueError as error:
        what = str(error)
    raise MalformedFile(f"{file}: {what}.", file=file)


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


def write(folder: Path, name: str, document: Any) -> Path:
    """Write a document so that a crash leaves the old file or the new one, only for its owner."""
    folder.mkdir(parents=True, exist_ok=True)
    path, fresh = folder / name, folder / f".{name}.{os.getpid()}"
    # ASCII, because a lone surrogate cannot be encoded in UTF-8, but its escape can be written.
    fresh.write_text(json.dumps(document, indent=2) + "\n", encoding="ascii")
    fresh.chmod(0o600)
    os.replace(fresh, path)
    return path
