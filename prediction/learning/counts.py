"""Counts of a text: how long it is and what it is made of, as logarithms and shares."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
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
# So many of the measures are logarithms of counts.
_LOGARITHMS = 10
# From the last line break before an item only, and of a name its last 200 characters at most: else
# a text of line breaks or of one long path takes a time that grows with the square of its length.
_LIST_ITEM = re.compile(r"\n[^\S\n]*+(?:[-*•]|\d+[.)])\s")
_FILE_NAME = re.compile(
    r"\b[\w/]{1,200}+\.(?:py|js|ts|java|c|cpp|go|rs|html|css|json|md|txt|csv|sql|sh|ya?ml)\b"
)
# Quicker to look for than names, and in every name.
_FILE_ENDING = re.compile(_FILE_NAME.pattern.removeprefix(r"\b[\w/]{1,200}+"))
_HEAD = 4_000
_CAPITALS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KIND_BITS = 15
_ALPHANUMERIC, _DIGITS = 16, 32


def traits_of(word: str) -> int:
    """What counts want to know of a word, in a number: its kind (the first four bits, one more than
    its place; 0: none), whether it has letters and digits only, and whether digits only."""
    kind = _KIND_OF.get(word, -1) + 1
    return kind + _ALPHANUMERIC * word.isalnum() + _DIGITS * word.isdigit()


class Totals(NamedTuple):
    """Of each text how many words it has, how many of them have letters and digits only, how many
    digits only, and how many are of each kind (texts × kinds)."""

    words: Ints
    named: Ints
    digits: Ints
    kinds: Ints


def totals_of(traits: NDArray[np.uint8], lengths: Ints) -> Totals:
    """The totals of texts; `traits`: of the words of all texts, one after the other."""
    kinds = len(_KINDS) + 1
    if len(lengths) == 1:
        by_kind = np.bincount(traits & _KIND_BITS, minlength=kinds)[None]
        named, digits = (np.count_nonzero(traits & bit) for bit in (_ALPHANUMERIC, _DIGITS))
        return Totals(lengths, np.array([named]), np.array([digits]), by_kind[:, 1:])
    text = np.repeat(np.arange(len(lengths)), lengths)
    cells = text * kinds + (traits & _KIND_BITS)
    by_kind = np.bincount(cells, minlength=kinds * len(lengths)).reshape(-1, kinds)
    return Totals(
        lengths,
        np.bincount(text[traits & _ALPHANUMERIC > 0], minlength=len(lengths)),
        np.bincount(text[traits & _DIGITS > 0], minlength=len(lengths)),
        by_kind[:, 1:],
    )


def counts_of(texts: Sequence[str], read: Sequence[str], totals: Totals) -> NDArray[np.float32]:
    """The counts of texts (texts × NAMES). `read`: the excerpt of each, in lower case."""
    lengths = zip(texts, read, totals.words.tolist(), totals.named.tolist(), strict=True)
    measures = np.array([_measures(*each) for each in lengths], float)
    measures = measures.reshape(len(texts), len(_MEASURES))
    measures[:, _MEASURES.index("numbers")] = totals.digits
    measures[:, :_LOGARITHMS] = np.log1p(measures[:, :_LOGARITHMS])
    return np.concatenate([measures, np.log1p(totals.kinds)], axis=1).astype(np.float32)


def _measures(text: str, read: str, words: int, named: int) -> tuple[float, ...]:
    whole = max(len(text) / max(len(read), 1), 1)
    lines = text.count("\n")
    return (
        len(text),
        named * whole,
        lines,
        read.count("\n\n") + read.count("\n\r\n"),
        read.count("```"),
        len(_LIST_ITEM.findall(read)) if lines else 0,
        read.count("?"),
        len(_FILE_NAME.findall(read)) if _FILE_ENDING.search(read) else 0,
        read.count("://"),
        0,
        _capitals(text[:_HEAD]),
        1 - named / max(words, 1),
        0.0 if read.isascii() else 1 - len(read.encode("ascii", "ignore")) / len(read),
        len(read) / max(named, 1) / 10,
    )


def _capitals(head: str) -> float:
    """The share of capitals."""
    if head.isascii():
        data = head.encode()
        return (len(data) - len(data.translate(None, _CAPITALS))) / max(len(data), 1)
    return sum(map(str.isupper, head)) / max(len(head), 1)
