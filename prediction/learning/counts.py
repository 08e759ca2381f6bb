"""Counts of a text: how long it is and what it is made of, as logarithms and shares."""

import re
from math import log1p

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "characters",
    "words",
    "lines",
    "blank lines",
    "code fences",
    "list items",
    "questions",
    "errors",
    "file names",
    "links",
    "numbers",
    "share of capitals",
    "share of other signs",
    "share beyond ASCII",
    "verbs of making",
    "verbs of explaining",
    "asks for brevity",
    "asks for length",
    "formats",
    "stories",
    "code words",
    "mean word",
)

_PATTERNS = (
    r"\n\s*\n",
    r"```",
    r"\n\s*(?:[-*•]|\d+[.)])\s",
    r"\?",
    r"traceback|error|exception|fail(?:s|ed|ure)?\b",
    r"\b[\w/]+\.(?:py|js|ts|java|c|cpp|go|rs|html|css|json|md|txt|csv|sql|sh|ya?ml)\b",
    r"https?://",
    r"\d+",
)
_WORDS = (
    r"\b(?:write|create|implement|build|generate|develop|design|make|draft|compose|produce|add)\b",
    r"\b(?:explain|describe|discuss|compare|analy[sz]e|why|how|what|summari[sz]e|list)\b",
    r"\b(?:short|brief|briefly|concise|only|one sentence|one word|just|yes or no)\b",
    r"\b(?:detailed?|comprehensive|in depth|complete|full|thorough|essay|\d+ (?:words|pages))\b",
    r"\b(?:json|table|csv|xml|yaml|markdown|html|latex)\b",
    r"\b(?:story|poem|novel|song|character|scene|dialogue|chapter|blog|article|script)\b",
    r"\b(?:code|function|class|python|javascript|java|sql|api|program|def|import|return)\b",
)
_COUNTED = tuple(re.compile(pattern) for pattern in (*_PATTERNS, *_WORDS))


def counts_of(text: str, read: str) -> NDArray[np.float32]:
    """The counts in the order of NAMES. `read`: the excerpt of `text`, in lower case."""
    characters = len(text)
    words = len(read.split()) * max(characters / max(len(read), 1), 1)
    size = max(len(read), 1)
    capitals = sum(map(str.isupper, text[:4_000])) / max(min(characters, 4_000), 1)
    letters = sum(map(str.isalnum, read[:4_000])) + read.count(" ", 0, 4_000)
    found = [log1p(len(pattern.findall(read))) for pattern in _COUNTED]
    return np.array(
        [
            log1p(characters),
            log1p(words),
            log1p(text.count("\n")),
            *found[:8],
            capitals,
            1 - letters / min(size, 4_000),
            1 - len(read.encode("ascii", "ignore")) / size,
            *found[8:],
            len(read) / max(len(read.split()), 1) / 10,
        ],
        np.float32,
    )
