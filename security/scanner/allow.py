"""`butler:allow <rule> <reason>`: a comment on the line of a finding, or alone above it."""

from __future__ import annotations

import re

_ALLOW = re.compile(r"butler:allow[ \t]{1,9}([\w-]{1,60})[ \t]{1,9}\w")
_BEFORE_MAX = 200
_ALONE = re.compile(r"[ \t]*(?:#|//|--|;|/\*|<!--|%)[ \t]*\Z")


def allowances(text: str) -> dict[int, set[str]]:
    """The rules that comments allow, by line; a comment without a reason allows nothing."""
    allowed: dict[int, set[str]] = {}
    line, counted = 1, 0
    for comment in _ALLOW.finditer(text):
        line += text.count("\n", counted, comment.start())
        counted = comment.start()
        begin = max(counted - _BEFORE_MAX, 0)
        before = text[max(text.rfind("\n", begin, counted) + 1, begin) : counted]
        for number in (line, line + 1) if _ALONE.match(before) else (line,):
            allowed.setdefault(number, set()).add(comment[1])
    return allowed
