"""Secrets by their name: `DB_PASSWORD=…`, `"client_secret": "…"`, `--token …`.

The pass goes by the names, which are rare, and then looks at what comes after each.
"""

from __future__ import annotations

import re

from security.scanner import rule_data
from security.scanner.checks import class_changes, class_of, entropy, is_placeholder, is_random

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Pieces of the names, in lower case: `str.find` is ten times quicker than an expression with them.
_STEMS = (
    *("pass", "pwd", "pswd", "secret", "token", "key", "credential", "auth", "_pw"),
    *("identified", "signature"),
)
_NAME_CHARACTERS_MAX = 60
_NAME_START = re.compile(r"(?:(?i:api|access|secret|private)[ ])?[A-Za-z0-9_.-]{0,60}\Z")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Repetitions are possessive: nothing that was matched once is tried again.
_TYPE = r"(?::[ \t]{0,4}+&?[A-Za-z_][\w\[\]., |]{0,30}?(?=[ \t]{0,4}=[ \t\"']))?"
# The value of a name stands under another name: `name: X, value: Y`, `variable "X" { default = Y`,
# `<key>X</key> <string>Y`.
_UNDER_ANOTHER_NAME = r"""(?:
    ,?\s{0,60}+(?:-[ ])?\\{0,3}+["']?(?i:\w{0,14}value)\\{0,3}+["']?\s{0,4}+[:=]
    | \{[^{}]{0,120}?\bdefault[ \t]{0,20}+=
    | </\w{1,20}+>\s{0,60}+<\w{1,20}+>
    )"""
_SIGN = r"(?P<sign>:=|=>|={1,3}+|:|,|\(|>|\|{1,2}+=?|\?\?=?)"
_SPACE = r"""(?P<space>[ ](?i:is|or|by)[ ](?=\S)|(?<=[\w"'])[ \t]{1,20}+(?=\S))"""
# `SecretStr("…")`, `config("X", default="…")`, `String::from("…")`.
_CALL = r"""(?:(?:new[ ])?[A-Za-z_][\w.:]{0,30}+!?\(\s{0,60}+)?
    (?:(?:default|fallback)[ ]?[=:][ ]?)?"""
_OPENING = r"""(?P<opening>
    [\[(]\s{0,60}+(?:["'][^"'\s]{1,7}["'],[ ])? | \n[ \t]{0,40}+-[ ]{1,3}+
    | [|>][+-]?\n[ \t]{1,40}+ | \\?\n[ \t]{1,40}+(?=["'])
    )?"""
_LITERAL = r"""(?:[bBrRuUfF@]{1,2}(?=["']))?
    (?:"(?=\\"))?(?P<quote>\\{0,3}+["'`])?
    (?:(?:[Bb]earer|[Bb]asic|[Tt]oken|Bot|Api-?[Kk]ey|Key|Splunk|SSWS|GenieKey|OAuth)[ ]{1,2}+)?
    (?P<value>(?(quote)[^\s"'`\\]{8,300}+|(?:[^\s"'`\\,;<>()\[\]{}|&]|&(?![\w.-]{1,30}=)){8,300}+))
    (?P<close>\\{0,3}+["'`])?"""
BEFORE_VALUE = rf"""(?P<rest>[A-Za-z0-9_-]{{0,40}}+)(?:\\{{0,3}}+["'`]|\*\*)?[\])]?
    (?:[ \t]{{0,20}}+{_TYPE}[ \t]{{0,20}}+(?:{_UNDER_ANOTHER_NAME}|{_SIGN})|{_SPACE})
    [ \t]{{0,20}}+{_CALL}{_OPENING}"""
_VALUE = re.compile(BEFORE_VALUE + _LITERAL, re.VERBOSE | re.ASCII)
# What follows a value in a list, a call or a YAML sequence.
_NEXT_VALUE = re.compile(
    rf"""(?:,\s{{0,60}}+(?=["'])|[ \t]{{0,20}}+\r?\n[ \t]{{0,40}}+-[ ]{{1,3}}+)
    {_LITERAL}(?![ ]?:)""",
    re.VERBOSE | re.ASCII,
)
_NEXT_VALUES_MAX = 50
# Before a name that a space separates from its value: an option, a command, the start of a line.
_COMMAND = re.compile(
    r"""(?:
    (?:^|[\s"'])(?:--?[\w-]{0,60}|ENV|ARG|[Ss]et[A-Za-z]{0,3}|setx?|login[ ]\S{1,60})[ \t]{0,20}
    |\n[ \t]{0,20}|\A
    )\Z""",
    re.VERBOSE,
)
# A list of names, one in each line.
_LIST_LINE = re.compile(r""",?[ \t]{0,20}\r?\n[ \t]{0,40}["']""")
_DIGEST_OF = re.compile(
    r"(?i:sha-?\d+|md5|hash|digest|checksum|fingerprint)[ ](?:of[ ])?(?:the[ ])?\Z"
)
_VERBS = ("pass", "sign")
_COMMENT = re.compile(r"[ \t]*(?:#|//|/?\*|--|;|<!--|%|\$|export\b)[^\n]{0,200}\Z")
_NOT_LITERAL = re.compile(rule_data.NOT_LITERAL)
_SECRET_WORDS = frozenset(rule_data.SECRET_WORDS)
_PASSWORD_WORDS = frozenset(rule_data.PASSWORD_WORDS)
_KEY_WORDS = frozenset(rule_data.KEY_WORDS)
_INNOCENT_WORDS = frozenset(rule_data.INNOCENT_WORDS)
_INNOCENT_ENDINGS = frozenset(rule_data.INNOCENT_ENDINGS)

_PASSWORD_CHARACTERS_MIN = 8
_PASSWORD_ENTROPY_MIN = 2.5
_PASSWORD_CLASSES_MIN = 3
_TWO_CLASSES_CHARACTERS_MIN = 10
_TWO_CLASSES_CHANGES_MIN = 0.3
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORDS_AND_NUMBER = re.compile(r"[a-z\d_./:-]+")
_EXPRESSION = re.compile(r"[()\[\]{}<>]|::|->|\.[a-z_]{2,30}\.|^/")


def assigned_values(
    text: str, lowered: str, *, literals_only: bool
) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each value whose name says that it is a secret.

    `lowered` is `text` in lower case, character by character. `literals_only`: a value that is not
    in quotes is an expression.
    """
    seen = set()
    for stem in _STEMS:
        at = lowered.find(stem)
        while at >= 0:
            done = at + len(stem)
            match = _VALUE.match(text, done)
            if match:
                name = _name(text, at, len(stem)) + match["rest"]
                if (
                    match.start("value") not in seen
                    and says_secret(name_parts(name))
                    and _is_assigned(text, match, name, literals_only)
                ):
                    seen.add(match.start("value"))
                    if match["opening"] and name.lower().endswith("auth"):  # ("user", "password")
                        name += "_password"
                    yield from ((*span, name) for span in _values(text, match))
                # The end of a value may be a name: key = process.env.KEY || "value".
                done = max(done, match.end("value") - _NAME_CHARACTERS_MAX)
            at = lowered.find(stem, done)


def _values(text: str, match: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The value, and those that follow it if the name is that of a list or of a call."""
    following: re.Match[str] | None = match
    is_list = match["opening"] or match["sign"] == "("
    for _ in range(_NEXT_VALUES_MAX if is_list else 1):
        if following is None or following["quote"] not in (None, following["close"]):
            return
        yield (
            following.start("value"),
            following.start("value") + len(following["value"].rstrip(".,;:!?)")),
        )
        following = _NEXT_VALUE.match(text, following.end())


def _name(text: str, at: int, length: int) -> str:
    before = _NAME_START.search(text[max(at - _NAME_CHARACTERS_MAX, 0) : at])
    return (before[0] if before else "") + text[at : at + length]


def _is_assigned(text: str, match: re.Match[str], name: str, literals_only: bool) -> bool:
    start = match.end("rest") - len(name)
    if _is_something_else(text, match, name, start):
        return False
    if match["quote"]:
        return match["close"] == match["quote"]
    if literals_only and not _is_in_string_or_comment(text, match, start):
        return False
    if match["space"] is None or not match["space"].isspace() or name.startswith("--"):
        return True
    return bool(_COMMAND.search(text[max(start - 80, 0) : start])) or is_random(match["value"])


def _is_something_else(text: str, match: re.Match[str], name: str, start: int) -> bool:
    """A verb, a digest of a secret, a name in a list of names, an argument after a comma."""
    if match["space"] and name.lower() in _VERBS:
        return True
    if name.lower() == "identified" and match["quote"] not in ("'", '"'):  # … BY 'password', of SQL
        return True
    if _DIGEST_OF.search(text[max(start - 30, 0) : start]):
        return True
    if match["sign"] != ",":
        return False
    if _LIST_LINE.match(text, match.end()):
        return True
    return not match["quote"] and text[match.start("value") - 1] == " "


def _is_in_string_or_comment(text: str, match: re.Match[str], start: int) -> bool:
    """Of source code: `"KEY=value"`, `"${key:value}"`, comments and commands of a shell."""
    if match["sign"] == "=" and (
        match["close"] or text[match.end() : match.end() + 1] in ("\\", "&")
    ):
        return True
    line = text[max(text.rfind("\n", max(start - 200, 0), start) + 1, start - 200, 0) : start]
    return line.endswith("${") or bool(_COMMENT.match(line))


def name_parts(name: str) -> list[str]:
    """The words of a name in lower case: `clientSecret`, `CLIENT_SECRET` are client and secret."""
    return [part.lower() for part in _NAME_PART.findall(name)]


def says_secret(parts: list[str]) -> bool:
    """Whether the words of a name say that its value is a secret.

    What comes after the word for a secret says what of it the value is: `user_password` is a
    password, `password_user` is a user.
    """
    if not _INNOCENT_WORDS.isdisjoint(parts):
        return False
    has_key = not _KEY_WORDS.isdisjoint(parts)
    for at in reversed(range(len(parts))):
        if parts[at] in _INNOCENT_ENDINGS:
            return False
        if parts[at] in _SECRET_WORDS or (has_key and parts[at] in ("key", "keys")):
            return True
    return False


def looks_secret(value: str, *, name: str) -> bool:
    """Whether a value was made by a machine or is a good password; no name, path or placeholder."""
    if _NOT_LITERAL.match(value) or is_placeholder(value):
        return False
    parts = name_parts(name)
    if _UUID.fullmatch(value):
        return "authorization" in parts or parts[-2:] == ["auth", "token"]
    return is_random(value) or (not _PASSWORD_WORDS.isdisjoint(parts) and _is_good_password(value))


def _is_good_password(value: str) -> bool:
    if len(value) < _PASSWORD_CHARACTERS_MIN or _EXPRESSION.search(value):
        return False
    classes = {class_of(character) for character in value}
    # Words with hyphens and a number, such as names of algorithms, are made of two classes.
    if len(classes) < _PASSWORD_CLASSES_MIN or _WORDS_AND_NUMBER.fullmatch(value):
        made = len(value) >= _TWO_CLASSES_CHARACTERS_MIN and not value.isalpha()
        return made and class_changes(value) >= _TWO_CLASSES_CHANGES_MIN
    return entropy(value) >= _PASSWORD_ENTROPY_MIN
