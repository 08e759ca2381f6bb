"""Which fields of a request are known to make no call dearer: `known_fields.toml`.

Any other is refused, unless the operator lets it pass for the API key.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Raw

from gateway.bounds.json_values import value_of
from gateway.dialects.json_body import NAME_CHARACTERS_MAX, folded_name
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys.supply.known_providers import without_account

_FILE = Path(__file__).with_suffix(".toml")
# An object that is empty switches on: OpenAI's guide writes `web_search_options: {}`.
_OFF: tuple[Any, ...] = (None, False, [], "", {"enable": False}, {"enabled": False})
_SETTING_BYTES_MAX = 64 * 1024
_UNKNOWN = (
    "Butler does not know what it can cost. Leave it out, or ask the operator to add it to"
    " `passed_fields` of the API key."
)


@dataclass
class _Field:
    """`fields`: those of an object; it has no others. `values`: the only ones that are known."""

    fields: dict[str, "_Field"] = field(default_factory=dict)
    values: tuple[Any, ...] = ()

    @cached_property
    def spellings(self) -> dict[str, str]:
        """The names of `fields` by what is left of them for the most lenient provider."""
        return {folded_name(name): name for name in self.fields}


def refuse_unknown(
    fields: Mapping[str, Raw], *, route: str, provider: str, passed: tuple[str, ...] = ()
) -> None:
    """Refuse a field of a request that is not known for this route of this provider, and that the
    operator does not let pass.

    Refusals: CannotBeBounded, InvalidRequest.
    """
    known = _known_fields(route, without_account(provider), passed)
    for name in fields:
        found = known.fields.get(name)
        if found is None:
            _refuse(name, name, _value(fields, name), known)
        elif found.fields or found.values:
            _check(name, _value(fields, name), found)


def is_on(value: Any) -> bool:
    """Whether a field with this value switches something on."""
    return value not in _OFF


def _value(fields: Mapping[str, Raw], name: str) -> Any:
    """The decoded value of a field. A large one is refused: this runs in the event loop."""
    if memoryview(fields[name]).nbytes > _SETTING_BYTES_MAX:
        raise InvalidRequest(f"`{name}` must not exceed {_SETTING_BYTES_MAX:,} bytes.", field=name)
    return value_of(fields, name)


def _check(path: str, value: Any, known: _Field) -> None:
    if isinstance(value, dict) and known.fields:
        for name, inner in value.items():
            if name in known.fields:
                _check(f"{path}.{name}", inner, known.fields[name])
            else:
                _refuse(f"{path}.{name}", name, inner, known)
    elif (known.fields or known.values) and value not in (*_OFF, *known.values):
        _refuse_value(path, value)


def _refuse(path: str, name: str, value: Any, known: _Field) -> None:
    """Refuse an unknown field, unless it is off."""
    if spelled := known.spellings.get(folded_name(name)):
        raise InvalidRequest(f"Write `{name}` as `{spelled}`.", field=path)
    if value is None or ((reason := _reason(name)) and not is_on(value)):
        return
    why = reason or f"{_UNKNOWN}{_question(name, known)}"
    raise CannotBeBounded(f"`{path}` is not supported. {why}", field=path)


def _question(name: str, known: _Field) -> str:
    if len(name) > NAME_CHARACTERS_MAX:
        return ""
    similar = difflib.get_close_matches(name, known.fields, n=1, cutoff=0.7)
    return f" Did you mean `{similar[0]}`?" if similar else ""


def _refuse_value(path: str, value: Any) -> None:
    reason = _reason(path.partition(".")[0]) or _UNKNOWN
    said = f" with the value {value!r:.60}" if isinstance(value, str) else ""
    raise CannotBeBounded(f"`{path}` is not supported{said}. {reason}", field=path)


@lru_cache
def _known_fields(route: str, provider: str, passed: tuple[str, ...]) -> _Field:
    root, values = _Field(), _data()["values"]
    # A route that counts tokens has the fields of the route that it counts for.
    places = ("*", f"/{route.split('/')[1]}", route)
    for lists in (_data()["every"], _data()["providers"].get(provider, {})):
        for path in (path for place in places for path in lists.get(place, ())):
            _add(root, path, values)
    for path in passed:
        name = path.partition(".")[0]
        # What some provider reads as a known field is not another one.
        if root.spellings.get(folded_name(name), name) == name:
            _add(root, path, {})
    return root


def _add(root: _Field, path: str, values: dict[str, list[Any]]) -> None:
    """Add a field with all that it has. An object around it has only the fields that are added."""
    *outer, name = path.split(".")
    for number, each in enumerate(outer, 1):
        known = tuple(values.get(".".join(outer[:number]), ()))
        root = root.fields.setdefault(each, _Field(values=known))
    root.fields[name] = _Field(values=tuple(values.get(path, ())))


def _reason(name: str) -> str:
    """Why a field is not known; "" if there is nothing to say but that."""
    return next((row["why"] for row in _data()["reasons"] if name in row["fields"]), "")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
