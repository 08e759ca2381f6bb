"""What the database can keep of what others say."""

import re
from typing import Any

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def is_storable(value: Any) -> bool:
    """Whether no string in it has NUL or half of a surrogate pair, which no column takes."""
    if isinstance(value, str):
        return _NO_TEXT.search(value) is None
    if isinstance(value, dict):
        return all(is_storable(name) and is_storable(one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_storable, value))
    return True
