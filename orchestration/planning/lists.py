"""Find the items of numbered and bulleted lists; nested lists belong to their outer item."""

import re

# The beginning of an item. Possessive quantifiers, so that each line is read only once.
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
# Text that may precede the first number of a list within a line, and that may follow its items.
_BEFORE_FIRST = (":", ".", ";", "!", "?", "\n")
_AFTER_ITEM = re.compile(r"[,;]\s{0,3}(?:and|then)?\Z")
_LOOK_BACK = 20


def items(text: str, *, most: int) -> list[tuple[str, str]]:
    """The items of the list in `text`, at most `most` + 1; empty if there is no list.

    Each is a pair: the text of the item, and its description, which for the first item begins with
    the text before the list.
    """
    found = _lines(text, most) or _inline(text, most)
    if not found:
        return []
    begins = [end for _, end in found]
    ends = [start for start, _ in found[1:]] + [len(text)]
    texts = [_trim(text[begin:end]) for begin, end in zip(begins, ends, strict=True)]
    if not all(texts):
        # Markers without text between them, such as "1. 2. ", do not form a list.
        return []
    introduction = text[: found[0][0]].strip()
    first = f"{introduction}\n{texts[0]}" if introduction else texts[0]
    return list(zip(texts, [first, *texts[1:]], strict=True))


def _lines(text: str, most: int) -> list[tuple[int, int]]:
    """The start and end positions of the markers of the outermost list.

    Of lists with the same depth, numbers are preferred to letters, and letters to bullets.
    """
    found: dict[str, list[re.Match[str]]] = {"number": [], "letter": [], "bullet": []}
    for match in _ITEM.finditer("\n" + text):
        same = found[match.lastgroup or ""]
        if not same or _depth(match) <= _depth(same[0]):
            same.append(match)
            # A list below another one is not read to its end.
            if len(same) > most and sum(map(bool, found.values())) == 1:
                break
    lists = [same for kind, same in found.items() if len(same) > 1 and _is_list(kind, same)]
    if not lists:
        return []
    outermost = min(lists, key=lambda same: _depth(same[0]))
    # Positions without the line feed that was put before the text.
    return [(max(match.start() - 1, 0), match.end() - 1) for match in outermost]


def _depth(match: re.Match[str]) -> int:
    """The indentation of the line in steps of two, because numbers may be aligned to the right."""
    return len(match["indent"].expandtabs(4)) // 2


def _is_list(kind: str, items: list[re.Match[str]]) -> bool:
    """Whether the markers are a list; letters, which may be initials, must begin with a and b."""
    return kind != "letter" or [item["letter"].strip("(.)").lower() for item in items[:2]] == list(
        "ab"
    )


def _inline(text: str, most: int) -> list[tuple[int, int]]:
    """The positions of markers within a line, as in "1) research 2) write"; they count from 1."""
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
    """The item without the separators after it."""
    item = item.strip()
    after = _AFTER_ITEM.search(item, max(len(item) - _LOOK_BACK, 0))
    return (item[: after.start()].strip() if after else "") or item
