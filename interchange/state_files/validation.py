"""Check state files: by `data/*.schema.json`, and by rules that a schema cannot express."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from interchange.state_files.files import KEYS_FILE, STATE_FILE, refuse_value
from interchange.state_files.streams import Entries
from keys.limits import periods

_DATA = Path(__file__).parents[1] / "data"
_SCHEMAS = {STATE_FILE: "state.schema.json", KEYS_FILE: "api_keys.schema.json"}
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
# Clocks of two machines differ a little.
_AHEAD_MAX = timedelta(minutes=5)
# What a schema rule expects, given its argument. Never the value itself, which may be a secret.
_EXPECTED = {
    "type": "expected {}",
    "enum": "expected one of {}",
    "minimum": "expected {} or more",
    "maximum": "expected {} or less",
    "minLength": "expected at least {} characters",
    "maxLength": "expected at most {} characters",
    "pattern": "expected a name like {}",
    "format": "expected {}",
}
_FORMATS = {
    "moment": "a moment with its offset, as 2026-03-10T12:00:00Z, or milliseconds since 1970",
    "zone": "an IANA time zone, as Europe/Berlin",
}

formats = FormatChecker(formats=())


class Documents(NamedTuple):
    """Both files after the check. `keys`: the entries of api-keys.json by id, in their order.

    The history, of which there can be millions of entries, is not in `state`: each loop over
    `history` may read it from its file. `digest` is of all of both files but the secrets.
    """

    state: dict[str, Any]
    api_keys: dict[str, Any]
    keys: dict[str, dict[str, Any]]
    at: datetime
    history: Iterable[Any]
    history_count: int
    digest: str


def validate(*, state: Any, api_keys: Any, now: datetime) -> Documents:
    """Check both files; the history may be a list or `streams.Entries`. Refusals: MalformedFile."""
    if isinstance(api_keys, list):
        api_keys = {"keys": api_keys}
    state, history = _without_history(state)
    events = _Events(history)
    _check_schema(STATE_FILE, state, also=events.errors())
    _check_schema(KEYS_FILE, api_keys)
    by_id = {}
    for index, entry in enumerate(api_keys["keys"]):
        if entry["id"] in by_id:
            refuse_value(
                file=KEYS_FILE,
                path=["keys", index, "id"],
                expected="expected an id that no other key has",
            )
        by_id[entry["id"]] = entry
    _check_references(state, by_id)
    at = moment(state["timestamp"])
    if at > now + _AHEAD_MAX:
        refuse_value(
            file=STATE_FILE,
            path=["timestamp"],
            expected="expected a moment that is not in the future",
        )
    digest = events.digest
    rest = [state, {**api_keys, "keys": without_secrets(by_id)}]
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return Documents(
        state,
        api_keys,
        by_id,
        min(at, now),
        history,
        events.count,
        digest.hexdigest(),
    )


def without_secrets(keys: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The entries of API keys without their secrets."""
    return {
        slug: {name: value for name, value in entry.items() if name != "apiKey"}
        for slug, entry in keys.items()
    }


def _without_history(state: Any) -> tuple[Any, Iterable[Any]]:
    """The document with an empty history, and the history."""
    history = state.get("history") if isinstance(state, dict) else None
    if isinstance(history, (list, Entries)):
        return state | {"history": []}, history
    return state, []


class _Events:
    """Reads the history once, for what is wrong with it, its length and its digest."""

    def __init__(self, history: Iterable[Any]) -> None:
        self.count, self.digest = 0, hashlib.sha256()
        self._history = history

    def errors(self) -> Iterator[tuple[list[str | int], ValidationError]]:
        """Each error with its path in the document."""
        validator = _event_validator()
        for number, entry in enumerate(self._history):
            for error in validator.iter_errors(entry):
                yield ["history", number, *error.absolute_path], error
            self.digest.update(json.dumps(entry, sort_keys=True).encode())
            self.count += 1


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
def _validator(file: str) -> Draft202012Validator:
    schema = json.loads((_DATA / _SCHEMAS[file]).read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=formats)


@cache
def _event_validator() -> Draft202012Validator:
    schema = _validator(STATE_FILE).schema
    event = {"$ref": "#/$defs/event", "$defs": schema["$defs"]}
    return Draft202012Validator(event, format_checker=formats)


def _check_schema(
    file: str,
    document: Any,
    also: Iterable[tuple[list[str | int], ValidationError]] = (),
) -> None:
    """Refuse the first value that is wrong, by its path. `also`: errors of what was taken out."""
    own = _validator(file).iter_errors(document)
    first, count = None, 0
    for path, error in chain(((list(error.absolute_path), error) for error in own), also):
        count += 1
        if not first or [str(part) for part in path] < [str(part) for part in first[0]]:
            first = path, error
    if first:
        more = f" ({count - 1} more)" if count > 1 else ""
        refuse_value(file=file, path=first[0], expected=_expectation(first[1]) + more)


def _expectation(error: ValidationError) -> str:
    wanted = error.validator_value
    if error.validator == "required":
        missing = next(name for name in wanted if name not in error.instance)
        return f"expected a member {missing!r}"
    if error.validator == "format":
        wanted = _FORMATS[wanted]
    if isinstance(wanted, list):
        wanted = " or ".join(str(each) for each in wanted)
    # A member whose name breaks a rule is reported at the object that has it.
    of = " as the name of every member" if "propertyNames" in error.absolute_schema_path else ""
    return _EXPECTED[error.validator].format(wanted) + of


def _check_references(state: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> None:
    known = f"expected a key of {KEYS_FILE}"
    for slug in state["keys"]:
        if slug not in by_id:
            refuse_value(file=STATE_FILE, path=["keys", slug], expected=known)
    for session, entry in state.get("allocations", {}).items():
        if entry["keyId"] not in by_id:
            path = ["allocations", session, "keyId"]
            refuse_value(file=STATE_FILE, path=path, expected=known)
