"""Optional: one pass of Hyperscan says in which ways a text may have a secret.

It leaves out searches that find nothing; the others are those of `engine`, so the findings are the
same with and without it. `gate accelerate` compiles the expressions, which takes seconds, into a
file for one version of the rules, of Hyperscan and of the processor; scans only load it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from importlib import import_module

from security.scanner import assignments, engine, rule_data
from security.scanner.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Searches = Callable[[str], frozenset[str]]

# Each is as wide as what it stands for, or wider.
_NAME_CHARACTERS = "[A-Za-z0-9_.-]"
_STEMS = "pass|pwd|pswd|secret|token|credential|auth|_pw|identified"
_KEY_WORDS = "|".join(word for word in rule_data.KEY_WORDS if word != "x")
_X = "[^A-Za-z][xX]|[a-z]X"
_NAMES = (
    f"(?i:{_STEMS})",
    f"(?i:(?:{_KEY_WORDS})[ ]?{_NAME_CHARACTERS}{{0,60}}key)",
    f"(?:^[xX]|{_X})(?:[^a-z]{_NAME_CHARACTERS}{{0,60}})?(?i:key)",
    # The `y` of a key can be the letter before an X, as in keyX.
    f"(?i:key)(?:[xX]|{_NAME_CHARACTERS}{{0,40}}(?:(?i:{_KEY_WORDS})|{_X}))",
)
_QUOTED, _UNQUOTED = r"""[^\s"'`\\]""", r"""[^\s"'`\\,;<>()\[\]{}|]"""
_VALUE_CHARACTERS_MIN = 8
_TELLING = r"[0-9A-Z\x80-\xff]"
_KELVIN = "\u212a"
_LOOK_AROUND = re.compile(r"\(\?<?[=!](?:\\.|[^()\[\]\\]|\[(?:\\.|[^\]])*\])*\)")
_POSSESSIVE = re.compile(r"([}*+?])\+")
_BOUNDS = re.compile(r"\{(\d+),\d+\}")
_LONG_RUN = "[A-Za-z0-9_-]{32}"
_ESCAPES = r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def load() -> Searches | None:
    """What says which searches a text needs; None without Hyperscan or a file that fits."""
    try:
        hyperscan = import_module("hyperscan")
        with open(_path(hyperscan), "rb") as file:
            database = hyperscan.loadb(file.read(), hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except (ImportError, OSError):
        return None
    except hyperscan.HyperscanError:  # of another processor
        return None
    return _searches(database)


def compile_file() -> str:
    """Compile the expressions into the file that `load` reads, and return its path."""
    hyperscan = import_module("hyperscan")
    patterns = list(_patterns())
    flags = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_DOTALL
    database = hyperscan.Database()
    database.compile(
        expressions=[expression.encode() for _, expression in patterns],
        ids=list(range(len(patterns))),
        flags=[flags] * len(patterns),
    )
    path = _path(hyperscan)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.{os.getpid()}", "wb") as file:
        file.write(hyperscan.dumpb(database))
    os.replace(file.name, path)
    return path


def _searches(database: Any) -> Searches:
    ways = [search for search, _ in _patterns()]

    def searches(text: str) -> frozenset[str]:
        if _KELVIN in text:  # the one character that is an ASCII letter in lower case
            return engine.ALL_SEARCHES
        found: set[str] = set()

        def note(number: int, *_: object) -> None:
            found.add(ways[number])

        database.scan(text.encode("utf-8", "surrogatepass"), match_event_handler=note)
        return frozenset(found)

    return searches


def _patterns() -> Iterator[tuple[str, str]]:
    """(search, expression) of all that must be seen for the search to find something."""
    for rule in RULES:
        if rule.prefixes:
            yield engine.PREFIX, _widened(rule.expression)
        if rule.markers:
            yield engine.MARKER, _widened(rule.expression)
        for word in rule.words:
            yield engine.WORD, f"(?i:{re.escape(word)}).{{0,256}}{_LONG_RUN}"
    before = _widened(assignments.BEFORE_VALUE)
    for name in _NAMES:
        yield engine.NAME, f"(?x)(?:{name})(?:{before}){_value()}"
    yield engine.BASE64, f"(?:{''.join(map(_base64_class, (0x20, 0x08, 0x02, 0)))}){{6}}"
    yield engine.ESCAPE, _ESCAPES


def _widened(expression: str) -> str:
    """Without what Hyperscan cannot do, or only with large tables: it finds the same, or more."""
    return _BOUNDS.sub(r"{\1,}", _POSSESSIVE.sub(r"\1", _LOOK_AROUND.sub("", expression)))


def _value() -> str:
    scheme = "(?:[A-Za-z-]{3,8}[ ]+)?"
    quoted, unquoted = _long_enough(_QUOTED), _long_enough(_UNQUOTED)
    quote = r"""(?:[bBrRuUfF@]{1,2})?["]?\\*["'`]"""
    return f"(?:{quote}{scheme}(?:{quoted})|{scheme}(?:{unquoted}))"


def _long_enough(character: str) -> str:
    """Eight characters or more, with one of those that a secret has; or very many."""
    short = [
        character * before + _TELLING + character * (_VALUE_CHARACTERS_MIN - 1 - before)
        for before in range(_VALUE_CHARACTERS_MIN)
    ]
    return "|".join([*short, f"{character}{{8,}}{_TELLING}", f"{character}{{32}}"])


def _base64_class(bit: int) -> str:
    """The characters at one of four places of ASCII text in base64: the bit is not set there."""
    characters = "".join(letter for at, letter in enumerate(_BASE64) if not at & bit)
    return f"[{re.escape(characters + '-_')}]"


def _path(hyperscan: Any) -> str:
    """The file for these rules, this Hyperscan and this processor."""
    parts = (repr(list(_patterns())), hyperscan.__version__, platform.machine(), _processor())
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "butler-gate", f"{name}.hyperscan")


def _processor() -> str:
    if not sys.platform.startswith("linux"):
        return platform.processor()
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next((line for line in file if line.startswith("flags")), "")
