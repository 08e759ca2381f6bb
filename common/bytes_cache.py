"""Remember what was computed of texts that clients send again and again, bounded in bytes."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# A text that is longer is computed each time.
_TEXT_BYTES_MAX = 256 * 1024
_BYTES_MAX = 2 * 1024 * 1024
# What an entry takes beside its result.
_ENTRY_BYTES = 1024

_Compute = Callable[Concatenate[bytes, Arguments], Result]


def cached_within_bytes(compute: _Compute[Arguments, Result]) -> _Compute[Arguments, Result]:
    """Cache a function of a text and hashable arguments.

    The least recently used results are forgotten when all texts together have too many bytes. What
    a result is made of must come from its text, so that it is bounded, too.
    """
    known: OrderedDict[tuple[object, ...], tuple[Result, int]] = OrderedDict()
    lock, size = Lock(), 0

    @wraps(compute)
    def cached(text: bytes, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        nonlocal size
        if len(text) > _TEXT_BYTES_MAX:
            return compute(text, *args, **kwargs)
        key = text, args, tuple(kwargs.items())
        with lock:
            if key in known:
                known.move_to_end(key)
                return known[key][0]
        result = compute(text, *args, **kwargs)
        with lock:
            if key not in known:
                known[key] = result, len(text) + _ENTRY_BYTES
                size += len(text) + _ENTRY_BYTES
            while size > _BYTES_MAX:
                size -= known.popitem(last=False)[1][1]
        return result

    return cached
