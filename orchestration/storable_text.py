"""Text from outside without the characters that PostgreSQL cannot store."""

import re
from typing import Any

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def is_storable(value: Any) -> bool:
    """Whether every string in a JSON value is free of NUL and of unpaired surrogates."""
    if isinstance(value, str):
        return _NO_TEXT.search(value) is None
    if isinstance(value, dict):
        return all(is_storable(name) and is_storable(one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_storable, value))
    return True


def storable(text: str) -> str:
    """The text with NUL and unpaired surrogates replaced."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def all_storable(value: Any) -> Any:
    """A JSON value with every string and name made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(name)): all_storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [all_storable(one) for one in value]
    return value
