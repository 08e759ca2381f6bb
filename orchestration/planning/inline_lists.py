"""Lists within a line, as in “1) research 2) write” or “①收集②分析”: their numbers count from 1."""

import re
from collections.abc import Sequence
from itertools import islice

from orchestration.planning.imperatives import is_order

_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_CJK = "一二三四五六七八九十"
# What the number is, its numerals, and what a text with such a list has in it: looking for that
# takes a hundredth of the time.
_PATTERNS = (
    (re.compile(r"(?<![\w.])(\d{1,3})[.)）](?=\s)"), "", ("1.", "1)", "1）")),
    (re.compile(r"[(（](\d{1,3})[)）]"), "", ("1)", "1）")),
    (re.compile(r"(?<![\w.])(\d{1,3})[、．]"), "", ("1、", "1．")),
    (re.compile(r"([①-⑳])"), "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳", "①"),
    (re.compile(rf"第([{_CJK}])(?:步|点|點|，|、|是|,|：|:)+"), _CJK, "一"),
    (re.compile(rf"(?<!\w)[(（]?([{_CJK}])(?:、|[)）])"), _CJK, "一"),
    (re.compile(rf"([{_CJK}])是"), _CJK, "一"),
    (re.compile(r"(?<!\w)[(（]([a-h])[)）](?=\s)"), "abcdefgh", "(（"),
    (re.compile(r"(?<!\w)[(（]([ivx]{1,4})[)）](?=\s)"), _ROMAN, "(（"),
)
# Text that may precede the first number of a list within a line.
_BEFORE_FIRST = (":", ".", ";", "!", "?", "\n", "：", "。", "；", "，")
_AFTER_ITEM = re.compile(r"[,;，；、]\s{0,3}(?:and|then|und|dann|y|e|et|puis)?\Z")
# A number in brackets begins a list in the middle of a sentence if words are before the second.
_SECOND = re.compile(r"\s*+\w+\s\w[^(（]{1,2000}[(（]2[)）]\s?\w")
_ARROW = re.compile(r"[ ]?(?:→|⇒|➔|➜|->|=>|>>)[ ]?")
_CHAIN_MIN, _CHAIN_MAX = 3, 2_000
# Letters and Roman numbers do only in a request, since contracts are full of them.
_REQUESTED = re.compile(
    r"\b(?:please|needs?|want|(?:could|can|would) you|would like|must do|tasks?|"
    r"to do)\b[^.!?\n(（]{0,200}\Z",
    re.IGNORECASE,
)
_LOOK_BACK = 20
_READ_MAX = 100_000


def inline_parts(text: str, masked: str, *, most: int) -> list[tuple[str, str]]:
    """The items as pairs of own text and description; none if there are not two at least."""
    for pattern, numerals, signs in _PATTERNS:
        if not any(sign in masked for sign in signs):
            continue
        found = _positions(masked, pattern, numerals, most)
        if len(found) > 1:
            return _parts(text, found)
    return _chain(text, masked)


def _chain(text: str, masked: str) -> list[tuple[str, str]]:
    """The steps of one line with two arrows at least, “collect … → filter … → send …”.

    Not those of a path through menus: half of the steps, at least, begin with an order.
    """
    if len(text) > _CHAIN_MAX or "\n" in text.strip():
        return []
    spans = [match.span() for match in _ARROW.finditer(masked)]
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    steps = [text[begin:end].strip() for begin, end in zip(starts, ends, strict=True)]
    if len(steps) < _CHAIN_MIN or any(" " not in step and step.isascii() for step in steps):
        return []
    return [(step, step) for step in steps] if 2 * sum(map(is_order, steps)) >= len(steps) else []


def _positions(
    text: str, pattern: re.Pattern[str], numerals: Sequence[str], most: int
) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for match in islice(pattern.finditer(text), _READ_MAX):
        number = _number(match[1], numerals)
        if number == len(found) + 1 and (found or _can_begin(text, match)):
            found.append(match.span())
            if len(found) > most:
                break
    return found


def _number(numeral: str, numerals: Sequence[str]) -> int:
    if not numerals:
        return int(numeral)
    return numerals.index(numeral) + 1 if numeral in numerals else 0


def _can_begin(text: str, match: re.Match[str]) -> bool:
    at = match.start()
    if match[0].startswith(("(", "（")) and _SECOND.match(text, match.end()):
        return True
    if (
        not match[1].isdigit()
        and match[1].isascii()
        and _REQUESTED.search(text[max(at - 250, 0) : at])
    ):
        return True
    before = text[max(at - _LOOK_BACK, 0) : at].rstrip(" \t(")
    return not before or before.endswith(_BEFORE_FIRST)


def _parts(text: str, found: list[tuple[int, int]]) -> list[tuple[str, str]]:
    ends = [start for start, _ in found[1:]] + [len(text)]
    texts = [_trim(text[begin:end]) for (_, begin), end in zip(found, ends, strict=True)]
    if not all(texts):
        return []
    introduction = text[: found[0][0]].rstrip(" (").strip()
    first = f"{introduction}\n{texts[0]}" if introduction else texts[0]
    return list(zip(texts, [first, *texts[1:]], strict=True))


def _trim(item: str) -> str:
    item = item.strip().rstrip("(（")
    after = _AFTER_ITEM.search(item, max(len(item) - _LOOK_BACK, 0))
    return (item[: after.start()].strip() if after else "") or item
