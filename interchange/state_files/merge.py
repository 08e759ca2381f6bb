"""Three-way merge: update a document of another program with Butler's current values."""

from typing import Any

_Object = dict[str, Any]


def merge(original: Any, then: Any, now: Any) -> Any:
    """`original`, with what changed in Butler's rendering between `then` and `now`.

    Members that Butler does not render are kept, and unchanged ones keep the value of `original`.
    If one plain value (not an object) of an object changed, all its plain values are replaced, so
    that figures which belong together (used, resetAt) are of one moment.
    """
    if now == then:
        return original
    if not (isinstance(original, dict) and isinstance(then, dict) and isinstance(now, dict)):
        return now
    replaces_plain = _plain(then) != _plain(now)
    result = {}
    for name in [*original, *(name for name in now if name not in original)]:
        member = _member(name, original, then, now, replaces_plain=replaces_plain)
        if member is not _MISSING:
            result[name] = member
    return result


_MISSING = object()


def _member(
    name: str, original: _Object, then: _Object, now: _Object, *, replaces_plain: bool
) -> Any:
    if name not in now:
        return _MISSING if name in then else original[name]
    if name not in then:
        return now[name]
    if isinstance(now[name], dict):
        member = merge(original.get(name, {}), then[name], now[name])
        return member if member or name in original else _MISSING
    if replaces_plain:
        return now[name]
    return original.get(name, _MISSING)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if not isinstance(value, dict)}
