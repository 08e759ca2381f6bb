"""A quick look at a JSON value by its schema, since almost all of a million entries are right.

What it lets pass, the validator of JSON Schema lets pass, too (a test compares both). What it does
not let pass need not be wrong: then the validator decides, and says what is expected.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]
Schema = Mapping[str, Any]

_TYPES = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}


def quick_check(schema: Schema, *, formats: Mapping[str, Callable[[Any], Any]]) -> Check:
    """A function that says whether a value is certainly as the schema has it.

    `$ref` is to `$defs` of the same schema. A format refuses by ValueError or OverflowError.
    KeyError for a keyword that it does not know.
    """
    return _check(schema, schema.get("$defs", {}), formats)


def _check(schema: Schema, defs: Mapping[str, Any], formats: Mapping[str, Any]) -> Check:
    if "$ref" in schema:
        return _check(defs[schema["$ref"].removeprefix("#/$defs/")], defs, formats)
    checks = [
        _KEYWORDS[keyword](wanted, defs, formats)
        for keyword, wanted in schema.items()
        if keyword != "$defs"
    ]
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def _type(wanted: str | list[str], *_: Any) -> Check:
    names = [wanted] if isinstance(wanted, str) else wanted
    # Exactly these: to Python, True is a number.
    types = frozenset(each for name in names for each in _TYPES[name])
    return lambda value: type(value) in types


def _enum(wanted: list[str], *_: Any) -> Check:
    words = frozenset(wanted)
    return lambda value: type(value) is str and value in words


def _properties(wanted: Schema, defs: Mapping[str, Any], formats: Mapping[str, Any]) -> Check:
    checks = [(name, _check(schema, defs, formats)) for name, schema in wanted.items()]

    def check(value: Any) -> bool:
        if type(value) is not dict:
            return False
        return all(name not in value or check(value[name]) for name, check in checks)

    return check


def _required(wanted: list[str], *_: Any) -> Check:
    names = frozenset(wanted)
    return lambda value: type(value) is dict and names <= value.keys()


def _bound(is_within: Callable[[Any, Any], bool]) -> Callable[..., Check]:
    def keyword(wanted: float, *_: Any) -> Check:
        return lambda value: type(value) not in (int, float) or is_within(value, wanted)

    return keyword


def _length(is_within: Callable[[Any, Any], bool]) -> Callable[..., Check]:
    def keyword(wanted: int, *_: Any) -> Check:
        return lambda value: type(value) is not str or is_within(len(value), wanted)

    return keyword


def _pattern(wanted: str, *_: Any) -> Check:
    search = re.compile(wanted).search
    return lambda value: type(value) is str and search(value) is not None


def _format(wanted: str, _: Any, formats: Mapping[str, Callable[[Any], Any]]) -> Check:
    is_one = formats[wanted]

    def check(value: Any) -> bool:
        try:
            return bool(is_one(value))
        except (ValueError, OverflowError):
            return False

    return check


_KEYWORDS: dict[str, Callable[..., Check]] = {
    "type": _type,
    "enum": _enum,
    "properties": _properties,
    "required": _required,
    "minimum": _bound(lambda value, least: value >= least),
    "maximum": _bound(lambda value, most: value <= most),
    "minLength": _length(lambda length, least: length >= least),
    "maxLength": _length(lambda length, most: length <= most),
    "pattern": _pattern,
    "format": _format,
}
