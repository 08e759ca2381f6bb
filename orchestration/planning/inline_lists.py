"""Lists within a line, as in “1) research 2) write” or “①收集②分析”: their numbers count from 1."""

import re
from itertools import islice

_CJK = "一二三四五六七八九十"
# What the number is, its numerals, and what a text with such a list has in it: looking for that
# takes a hundredth of the time.
_PATTERNS = (
    (re.compile(r"(?<![\w.])(\d{1,3})[.)）](?=\s)"), "", ".)）"),
    (re.compile(r"[(（](\d{1,3})[)）]"), "", ")）"),
    (re.compile(r"(?<![\w.])(\d{1,3})[、．]"), "", "、．"),
    (re.compile(r"([①-⑳])"), "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳", "①"),
    (re.compile(rf"第([{_CJK}])(?:步|点|點|，|、|是|,|：|:)+"), _CJK, "一"),
    (re.compile(rf"(?<!\w)[(（]?([{_CJK}])(?:、|[)）])"), _CJK, "一"),
    (re.compile(rf"([{_CJK}])是"), _CJK, "一"),
    (re.compile(r"(?<!\w)[(（]([a-h])[)）](?=\s)"), "abcdefgh", "(（"),
)
# Text that may precede the first number of a list within a line.
_BEFORE_FIRST = (":", ".", ";", "!", "?", "\n", "：", "。", "；", "，")
_AFTER_ITEM = re.compile(r"[,;，；、]\s{0,3}(?:and|then|und|dann|y|e|et|puis)?\Z")
# A number in brackets begins a list in the middle of a sentence if words are before the second.
_SECOND = re.compile(r"\s*+\w+\s\w[^(（]{1,2000}[(（]2[)）]\s?\w")
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
    return []


def _positions(
    text: str, pattern: re.Pattern[str], numerals: str, most: int
) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for match in islice(pattern.finditer(text), _READ_MAX):
        number = numerals.find(match[1]) + 1 if numerals else int(match[1])
        if number == len(found) + 1 and (found or _can_begin(text, match)):
            found.append(match.span())
            if len(found) > most:
                break
    return found


def _can_begin(text: str, match: re.Match[str]) -> bool:
    at = match.start()
    if match[0].startswith(("(", "（")) and _SECOND.match(text, match.end()):
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
