"""Check state files: by `data/*.schema.json`, and by rules that a schema cannot express."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import chain
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from jsonschema.exceptions import ValidationError

from interchange.state_files.checked_entries import Error, Events, Sessions, digest_of
from interchange.state_files.counted import Counted
from interchange.state_files.files import KEYS_FILE, STATE_FILE, refuse_value
from interchange.state_files.schemas import moment, validator
from interchange.state_files.streams import STREAMED, Entries

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


class Documents(NamedTuple):
    """Both files after the check. `keys`: the entries of api-keys.json by id, in their order.

    Sessions and history, of which there can be millions, are not in `state`: each loop over
    `sessions` (by name) or `history` may read them from their file. `digest` is of all of both
    files but the secrets.
    """

    state: dict[str, Any]
    api_keys: dict[str, Any]
    keys: dict[str, dict[str, Any]]
    at: datetime
    sessions: Iterable[tuple[str, dict[str, Any]]]
    session_count: int
    history: Iterable[Any]
    history_count: int
    digest: str

    def counted(self, tell: Callable[[int], None]) -> "Documents":
        """The same, whose sessions and history tell how many of them were read since."""
        return self._replace(
            sessions=Counted(self.sessions, tell), history=Counted(self.history, tell)
        )


def validate(
    *, state: Any, api_keys: Any, now: datetime, checked: Callable[[int], None] = lambda _: None
) -> Documents:
    """Check both files; sessions and history may be `streams.Entries`. Refusals: MalformedFile.

    `checked` is called with the number of their entries that were checked since.
    """
    if isinstance(api_keys, list):
        api_keys = {"keys": api_keys}
    state, listed_sessions, history = _taken_apart(state)
    with TemporaryFile() as spool:
        sessions, events = (
            Sessions(Counted(listed_sessions, checked), spool),
            Events(Counted(history, checked)),
        )
        also = chain(sessions.errors(), events.errors())
        _check_schema(STATE_FILE, state, also=also)
        _check_schema(KEYS_FILE, api_keys)
        by_id = _by_id(api_keys)
        _check_references(state, sessions.of_keys, by_id)
        at = moment(state["timestamp"])
        if at > now + _AHEAD_MAX:
            refuse_value(
                file=STATE_FILE,
                path=["timestamp"],
                expected="expected a moment that is not in the future",
            )
        digest = digest_of(
            events.digest, state, sessions, {**api_keys, "keys": without_secrets(by_id)}
        )
    return Documents(
        state,
        api_keys,
        by_id,
        min(at, now),
        listed_sessions,
        sessions.count,
        history,
        events.count,
        digest,
    )


def _by_id(api_keys: dict[str, Any]) -> dict[str, dict[str, Any]]:
    by_id: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(api_keys["keys"]):
        if entry["id"] in by_id:
            refuse_value(
                file=KEYS_FILE,
                path=["keys", index, "id"],
                expected="expected an id that no other key has",
            )
        by_id[entry["id"]] = entry
    return by_id


def without_secrets(keys: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The entries of API keys without their secrets."""
    return {
        slug: {name: value for name, value in entry.items() if name != "apiKey"}
        for slug, entry in keys.items()
    }


def _taken_apart(state: Any) -> tuple[Any, Iterable[Any], Iterable[Any]]:
    """The document with empty sessions and an empty history; the sessions; the history."""
    taken: dict[str, Iterable[Any]] = {"allocations": (), "history": ()}
    if isinstance(state, dict):
        for name, begin in STREAMED.items():
            value = state.get(name)
            if isinstance(value, (Entries, dict if begin == "{" else list)):
                taken[name] = value.items() if isinstance(value, dict) else value
                state = state | {name: {} if begin == "{" else []}
    return state, taken["allocations"], taken["history"]


def _check_schema(
    file: str,
    document: Any,
    also: Iterable[Error] = (),
) -> None:
    """Refuse the first value that is wrong, by its path. `also`: errors of what was taken out."""
    own = validator(file).iter_errors(document)
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


def _check_references(
    state: dict[str, Any], sessions: dict[str, str], by_id: dict[str, dict[str, Any]]
) -> None:
    """`sessions`: the first one on each API key."""
    known = f"expected a key of {KEYS_FILE}"
    for slug in state["keys"]:
        if slug not in by_id:
            refuse_value(file=STATE_FILE, path=["keys", slug], expected=known)
    for slug, session in sessions.items():
        if slug not in by_id:
            refuse_value(file=STATE_FILE, path=["allocations", session, "keyId"], expected=known)
