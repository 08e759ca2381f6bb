"""Counts of a text: how long it is and what it is made of, as logarithms and shares."""

import re
from collections.abc import Sequence
from itertools import chain
from math import log1p

import numpy as np
from numpy.typing import NDArray

# Kinds of words that tell of the work; a word counts for the first that has it.
_KINDS = {
    "verbs of making": "write create implement build generate develop design make draft compose "
    "produce add fix refactor",
    "verbs of explaining": "explain describe discuss compare analyze analyse why how what "
    "summarize summarise list",
    "asks for brevity": "short brief briefly concise only just sentence",
    "asks for length": "detailed detail comprehensive depth complete full thorough essay pages "
    "words long",
    "formats": "json table csv xml yaml markdown html latex",
    "stories": "story poem novel song character characters scene dialogue chapter blog article "
    "script",
    "code": "code function class python javascript java sql api program def import return self",
    "errors": "traceback error errors exception fail fails failed failure bug",
}
_KIND_OF = {word: place for place, words in enumerate(_KINDS.values()) for word in words.split()}
_MEASURES = (
    "characters",
    "words",
    "lines",
    "blank lines",
    "code fences",
    "list items",
    "questions",
    "file names",
    "links",
    "numbers",
    "share of capitals",
    "share of other signs",
    "share beyond ASCII",
    "mean word",
)
NAMES = (*_MEASURES, *_KINDS)
_LIST_ITEM = re.compile(r"\n\s*(?:[-*•]|\d+[.)])\s")
_FILE_NAME = re.compile(
    r"\b[\w/]+\.(?:py|js|ts|java|c|cpp|go|rs|html|css|json|md|txt|csv|sql|sh|ya?ml)\b"
)
_HEAD = 4_000


def counts_of(text: str, read: str, words: Sequence[str]) -> NDArray[np.float32]:
    """The counts in the order of NAMES. `read`: the excerpt of `text`, in lower case; `words`: its
    words and other signs."""
    head = text[:_HEAD]
    whole = max(len(text) / max(len(read), 1), 1)
    named = sum(map(str.isalnum, words))
    lines = text.count("\n")
    kinds = [0] * len(_KINDS)
    for word in filter(_KIND_OF.__contains__, words):
        kinds[_KIND_OF[word]] += 1
    measures = (
        log1p(len(text)),
        log1p(named * whole),
        log1p(lines),
        log1p(read.count("\n\n") + read.count("\n\r\n")),
        log1p(read.count("```")),
        log1p(len(_LIST_ITEM.findall(read)) if lines else 0),
        log1p(read.count("?")),
        log1p(len(_FILE_NAME.findall(read)) if "." in read else 0),
        log1p(read.count("://")),
        log1p(sum(map(str.isdigit, words))),
        0.0 if head.islower() else sum(map(str.isupper, head)) / max(len(head), 1),
        1 - named / max(len(words), 1),
        0.0 if read.isascii() else 1 - len(read.encode("ascii", "ignore")) / len(read),
        len(read) / max(named, 1) / 10,
    )
    return np.fromiter(chain(measures, map(log1p, kinds)), np.float32, len(NAMES))
