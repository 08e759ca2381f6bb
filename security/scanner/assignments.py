"""Secrets by their name: `DB_PASSWORD=…`, `"client_secret": "…"`, `--token …`.

The pass goes by the names, which are rare, and then looks at what comes after each.
"""

from __future__ import annotations

import re

from security.scanner import rule_data
from security.scanner.checks import entropy, is_placeholder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Pieces of the names, in lower case: `str.find` is ten times quicker than an expression with them.
_STEMS = ("passw", "pass", "pwd", "secret", "token", "key", "credential", "auth", "_pw")
_NAME_CHARACTERS_MAX = 60
_NAME_START = re.compile(r"[A-Za-z0-9_.-]{1,60}\Z")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_VALUE = re.compile(
    r"""(?P<rest>[A-Za-z0-9_-]{0,40})
    (?:\\{0,3}["'`])?\]?[ \t]{0,20}
    (?::[ \t]{0,4}[A-Za-z_][\w\[\]., |]{0,30}?(?=[ \t]{0,4}=))?[ \t]{0,20}
    (?:
      (?:,?\s{0,60}(?:-[ ])?\\{0,3}["']?value\\{0,3}["']?\s{0,4}[:=])
      | (?P<separator>:=|=>|={1,3}|:|,|\(|>|(?<=\w)[ \t](?=\S))
    )
    [ \t]{0,20}\[?(?:[bBrRuUfF@]{1,2}(?=["']))?
    (?P<quote>\\{0,3}["'`])?
    (?:(?:Bearer|Basic|Token|token|Bot)[ ]{1,2})?
    (?P<value>(?(quote)[^\s"'`\\]{6,300}|[^\s"'`\\,;<>()\[\]{}|]{6,300}))
    (?P<close>\\{0,3}["'`])?""",
    re.VERBOSE,
)
_NOT_LITERAL = re.compile(rule_data.NOT_LITERAL)
_SECRET_WORDS = frozenset(rule_data.SECRET_WORDS)
_PASSWORD_WORDS = frozenset(rule_data.PASSWORD_WORDS)
_KEY_WORDS = frozenset(rule_data.KEY_WORDS)
_INNOCENT_WORDS = frozenset(rule_data.INNOCENT_WORDS)

_TOKEN_CHARACTERS_MIN = 16
_TOKEN_ENTROPY_MIN = 3.2
_HEX_ENTROPY_MIN = 2.8
_CLASS_CHANGES_MIN = 0.2
_PASSWORD_CHARACTERS_MIN = 8
_PASSWORD_ENTROPY_MIN = 2.7
_PASSWORD_CLASSES_MIN = 3


def assigned_values(
    text: str, lowered: str, *, literals_only: bool
) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each value whose name says that it is a secret.

    `lowered` is `text` in lower case, character by character. `literals_only`: a value that is not
    in quotes is an expression.
    """
    seen = -1
    for stem in _STEMS:
        at = lowered.find(stem)
        while at >= 0:
            match = _VALUE.match(text, at + len(stem))
            if match and match.start("value") != seen and _has_literal(match, literals_only):
                name = _name(text, at, len(stem)) + match["rest"]
                if says_secret(name_parts(name)) and _separated(name, match, text):
                    seen = match.start("value")
                    yield seen, seen + len(match["value"].rstrip(".,;:!?)")), name
            at = lowered.find(stem, at + len(stem))


def _name(text: str, at: int, length: int) -> str:
    before = _NAME_START.search(text[max(at - _NAME_CHARACTERS_MAX, 0) : at])
    return (before[0] if before else "") + text[at : at + length]


def _has_literal(match: re.Match[str], literals_only: bool) -> bool:
    return match["close"] == match["quote"] if match["quote"] else not literals_only


def _separated(name: str, match: re.Match[str], text: str) -> bool:
    """A space separates name and value on a command line, in a Dockerfile and in .netrc only."""
    if match["separator"] is None or not match["separator"].isspace():
        return True
    start = match.start("rest") - len(name)
    return name.startswith("--") or text[max(start - 6, 0) : start].endswith(
        ("ENV ", "ARG ", "login ", "--")
    )


def name_parts(name: str) -> list[str]:
    """The words of a name in lower case: `clientSecret`, `CLIENT_SECRET` are client and secret."""
    return [part.lower() for part in _NAME_PART.findall(name)]


def says_secret(parts: list[str]) -> bool:
    """Whether the words of a name say that its value is a secret."""
    words = set(parts)
    if words & _INNOCENT_WORDS:
        return False
    return bool(words & _SECRET_WORDS) or bool("key" in words and words & _KEY_WORDS)


def looks_secret(value: str, *, name: str) -> bool:
    """Whether a value was made by a machine or is a good password; no name, path or placeholder."""
    if _NOT_LITERAL.match(value) or is_placeholder(value):
        return False
    return _is_random(value) or (
        not _PASSWORD_WORDS.isdisjoint(name_parts(name)) and _is_good_password(value)
    )


def _is_random(value: str) -> bool:
    if len(value) < _TOKEN_CHARACTERS_MIN or not any(map(str.isdigit, value)):
        return False
    if re.search(r"[^A-Za-z0-9_+/=.~!@#$%^&*:-]", value):
        return False
    least = _HEX_ENTROPY_MIN if re.fullmatch(r"[0-9a-fA-F]+", value) else _TOKEN_ENTROPY_MIN
    return class_changes(value) >= _CLASS_CHANGES_MIN and entropy(value) >= least


def class_changes(value: str) -> float:
    """The share of letters and digits of another class than the one before: low in words."""
    classes = [_class(character) for character in value if character.isalnum()]
    changes = sum(a != b for a, b in zip(classes, classes[1:], strict=False))
    return changes / max(len(classes) - 1, 1)


def _class(character: str) -> int:
    if character.isdigit():
        return 1
    if character.isalpha():
        return 2 if character.islower() else 3
    return 4


def _is_good_password(value: str) -> bool:
    classes = {_class(character) for character in value}
    return (
        len(value) >= _PASSWORD_CHARACTERS_MIN
        and len(classes) >= _PASSWORD_CLASSES_MIN
        and not re.search(r"[()\[\]{}<>]|::|->|\.\w+\.", value)
        and entropy(value) >= _PASSWORD_ENTROPY_MIN
    )
