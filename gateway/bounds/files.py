"""Files in a request: a text is counted as text; of others only the provider knows the size."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from gateway.bounds.json_values import value_of

# What a model gets of these is their text. Of tables, providers write a summary too.
_TEXT = re.compile(
    r"data:(text/(plain|markdown|xml|css|javascript|x-[\w.+-]+)"
    r"|application/(json|xml|yaml|x-yaml|javascript))(;charset=[\w-]+)?;base64,",
    re.IGNORECASE,
)
# A result of a tool has documents: no deeper.
_DEPTH_MAX = 8


def text_of_file(file: object) -> str | None:
    """The text of a file of OpenAI's formats (`file_data`, `filename`); None if it is not a text
    that was sent in the request."""
    data = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(data, str) or not (head := _TEXT.match(data)):
        return None
    try:
        return b64decode(data[head.end() :], validate=True).decode()
    except ValueError:
        return None


def take_files(
    fields: Mapping[str, Any], *, name: str
) -> tuple[dict[str, Raw], list[dict[str, Any]]]:
    """The fields of a request without the files in its turns (`name`), and these files: those that
    it contains itself, and whose size cannot be counted here. Refusals: InvalidRequest."""
    files: list[dict[str, Any]] = []
    turns = _without_files(value_of(fields, name), files, depth=0)
    return {**fields, name: Raw(msgspec.json.encode(turns))}, files


def _without_files(value: Any, files: list[dict[str, Any]], *, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        return value
    if isinstance(value, dict):
        return {name: _without_files(each, files, depth=depth + 1) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    kept = []
    for each in value:
        if isinstance(each, dict) and _is_uncounted_file(each):
            files.append({name: part for name, part in each.items() if name != "cache_control"})
        else:
            kept.append(_without_files(each, files, depth=depth + 1))
    return kept


def _is_uncounted_file(part: dict[str, Any]) -> bool:
    match part:
        case {"type": "file", "file": {"file_data": str()} as file}:
            return "file_id" not in file and text_of_file(file) is None
        case {"type": "input_file", "file_data": str()}:
            return not part.keys() & {"file_id", "file_url"} and text_of_file(part) is None
        case {"type": "document", "source": {"type": "base64"}}:
            return True
    return False
