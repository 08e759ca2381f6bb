"""Numbered and bulleted lists: their items are parts as they stand, with what is below them."""

import re

# A line that begins an item. Possessive, so that a line is read once.
_ITEM = re.compile(
    r"""
    \n (?P<indent>[ \t]*+)
    (?: (?P<number> \(?\d{1,3}[.)] (?=[^\W\d]|[ \t]) | (?:step|phase|part|task)[ ]\d{1,3}[.:)] )
      | (?P<letter> \(?[a-z][.)] (?=[ \t]) )
      | (?P<bullet> [-*+•‣◦·–] (?=[ \t]) (?:[ \t]\[[ x]\])? )
    )
    [ \t]*+ (?=\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_INLINE = re.compile(r"[0-9][0-9]{0,2}[.)](?=\s)")
# What may stand before the first number of a list within a line, and after its items.
_BEFORE_FIRST = (":", ".", ";", "!", "?", "\n")
_AFTER_ITEM = re.compile(r"[,;]\s{0,3}(?:and|then)?\Z")
_LOOK_BACK = 20


def items(text: str, *, most: int) -> list[tuple[str, str]]:
    """The items of the list in `text`, each with its own words and, for the first, what stands
    before the list; at most `most` + 1 of them. No items: there is no list."""
    found = _lines(text, most) or _inline(text, most)
    if not found:
        return []
    begins = [end for _, end in found]
    ends = [start for start, _ in found[1:]] + [len(text)]
    own = [_trim(text[begin:end]) for begin, end in zip(begins, ends, strict=True)]
    if not all(own):
        # Markers without text between them, as "1. 2. ", are no list.
        return []
    introduction = text[: found[0][0]].strip()
    told = [f"{introduction}\n{own[0]}" if introduction else own[0], *own[1:]]
    return list(zip(own, told, strict=True))


def _lines(text: str, most: int) -> list[tuple[int, int]]:
    """Where the markers of the outermost list begin and end; at one depth, a numbered list comes
    before one with letters, and that before one with bullets."""
    found: dict[str, list[re.Match[str]]] = {"number": [], "letter": [], "bullet": []}
    for match in _ITEM.finditer("\n" + text):
        same = found[match.lastgroup or ""]
        if not same or _depth(match) <= _depth(same[0]):
            same.append(match)
            # Below another list it would not be read to its end.
            if len(same) > most and sum(map(bool, found.values())) == 1:
                break
    lists = [same for kind, same in found.items() if len(same) > 1 and _is_list(kind, same)]
    if not lists:
        return []
    outermost = min(lists, key=lambda same: _depth(same[0]))
    # Positions in the text, which has no line feed before it.
    return [(max(match.start() - 1, 0), match.end() - 1) for match in outermost]


def _depth(match: re.Match[str]) -> int:
    """How far its line is indented, in steps: numbers may be set flush right."""
    return len(match["indent"].expandtabs(4)) // 2


def _is_list(kind: str, items: list[re.Match[str]]) -> bool:
    """Letters are easily something else, as initials."""
    return kind != "letter" or [item["letter"].strip("(.)").lower() for item in items[:2]] == list(
        "ab"
    )


def _inline(text: str, most: int) -> list[tuple[int, int]]:
    """Where the markers of "1) research 2) write" begin and end: numbers that count from 1."""
    found: list[tuple[int, int]] = []
    for match in _INLINE.finditer(text):
        start = match.start() - (text[match.start() - 1 : match.start()] == "(")
        if int(match[0][:-1]) == len(found) + 1 and (found or _can_begin(text, start)):
            found.append((start, match.end()))
            if len(found) > most:
                break
    return found if len(found) > 1 else []


def _can_begin(text: str, at: int) -> bool:
    before = text[max(at - _LOOK_BACK, 0) : at].rstrip(" \t")
    return not before or before.endswith(_BEFORE_FIRST)


def _trim(item: str) -> str:
    """Without the separators after it."""
    item = item.strip()
    after = _AFTER_ITEM.search(item, max(len(item) - _LOOK_BACK, 0))
    return (item[: after.start()].strip() if after else "") or item
