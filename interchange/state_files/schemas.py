"""The schemas of both files: their validators, quick looks, and what a moment and a zone are."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from interchange.state_files.files import KEYS_FILE, STATE_FILE
from interchange.state_files.quick_check import quick_check
from keys.limits import periods

_DATA = Path(__file__).parents[1] / "data"
_SCHEMAS = {STATE_FILE: "state.schema.json", KEYS_FILE: "api_keys.schema.json"}
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

formats = FormatChecker(formats=())


def moment(value: str | int) -> datetime:
    """A moment as JavaScript writes it: ISO 8601 with its offset, or milliseconds since 1970."""
    if isinstance(value, str):
        result = datetime.fromisoformat(value)
        if result.tzinfo is None:
            raise ValueError("no offset")
    else:
        result = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    if not _EARLIEST <= result < _LATEST:
        raise ValueError("not from 2000 to 2199")
    return result.astimezone(UTC)


@formats.checks("moment", raises=(ValueError, OverflowError))
def _is_moment(value: Any) -> bool:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        moment(value)
    return True


@formats.checks("zone", raises=ValueError)
def _is_zone(value: Any) -> bool:
    return not isinstance(value, str) or bool(periods.check_zone(value))


@cache
def validator(file: str) -> Draft202012Validator:
    """Of one of both files."""
    schema = json.loads((_DATA / _SCHEMAS[file]).read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=formats)


def schema_of(definition: str) -> dict[str, Any]:
    """The schema of one definition of the state file."""
    defs = validator(STATE_FILE).schema["$defs"]
    return {"$ref": f"#/$defs/{definition}", "$defs": defs}


@cache
def validator_of(definition: str) -> Draft202012Validator:
    """Of one definition of the state file, such as `event`."""
    return Draft202012Validator(schema_of(definition), format_checker=formats)


@cache
def check_of(definition: str) -> Callable[[Any], bool]:
    """The quick check of one definition."""
    return quick_check(schema_of(definition), formats={"moment": _is_moment})


@cache
def names_check() -> Callable[[Any], bool]:
    """The quick check of the names of sessions."""
    return quick_check(_sessions_schema()["propertyNames"], formats={})


def _sessions_schema() -> dict[str, Any]:
    sessions: dict[str, Any] = validator(STATE_FILE).schema["properties"]["allocations"]
    return sessions


def errors_of_session(name: str, entry: Any) -> Iterator[ValidationError]:
    """What is wrong with one session, with its path in the document."""
    schema = {
        "properties": {"allocations": _sessions_schema()},
        "$defs": validator(STATE_FILE).schema["$defs"],
    }
    checked = Draft202012Validator(schema, format_checker=formats)
    yield from checked.iter_errors({"allocations": {name: entry}})
