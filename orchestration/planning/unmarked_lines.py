"""Lists whose items have no markers: lines below “To do:”, and lines that begin with “TODO:”."""

import re

from orchestration.planning import section_labels

_MARKED = re.compile(
    r"^[ \t]*+(?:TODO|FIXME|XXX|HACK|BUG)(?:\([^()\n]*\))?:[ \t]++(?=\S)", re.MULTILINE
)
# “KR1: …”, “Task 2 – …”; and days.
_COUNTED = re.compile(
    r"^(?!(?:figure|table|chart|image|option|line|page|version|chapter|abbildung|tabelle)\b)"
    r"(?P<word>[^\W\d_]{1,12}+)[ -]?(?P<number>\d{1,3})[ ]?(?:[:.)]|[–-](?=[ ]))[ \t]++(?=\S)",
    re.MULTILINE | re.IGNORECASE,
)
_DAY = re.compile(
    r"^(?:mon|tue|wed|thu|fri|sat|sun|montag|dienstag|mittwoch|donnerstag|freitag|samstag|lunes|"
    r"martes|miércoles|jueves|viernes|sábado|lundi|mardi|mercredi|jeudi|vendredi|samedi|周[一-日])"
    r"(?:s?day|nesday|rsday|urday)?[ ]?[:：–-][ \t]*+(?=\S)",
    re.MULTILINE | re.IGNORECASE,
)
# A label, then lines up to an empty one.
_LABELLED = re.compile(
    r"^(?P<label>[^\n]{2,80})\n(?P<gap>[ \t]*\n)?(?P<lines>[^\s][^\n]*(?:\n[^\s][^\n]*)+)",
    re.MULTILINE,
)
_LIST_OF_WORK = re.compile(
    r"(?!(?:done|completed|finished|closed|old)\b)(?:[\w'’-]+ ){0,4}"
    r"(?:backlog|to-?do(?: list)?|tasks|action items|next steps)"
    r"(?: (?:for|this|until|by|today|tomorrow|next)\b.*)?",
    re.IGNORECASE,
)
_GOES_ON = (",", ";", "(", "-", ":", "：", "，", "、")
_LENGTH_MAX = 80
_READ_MAX = 200_000


def line_parts(text: str, copy: str) -> list[tuple[str, str]]:
    """The lines as pairs of own text and description; none if there are not two at least.

    `copy` is the text with code and quotes masked; positions are found in it.
    """
    copy = copy[:_READ_MAX]
    for found in (list(_MARKED.finditer(copy)), _counted(copy)):
        if len(found) > 1:
            return _cut(text, [match.span() for match in found], len(text))
    days = list(_DAY.finditer(copy))
    # “Mon: 9–17” is an opening hour.
    if len(days) > 1 and not any(copy[match.end()].isdigit() for match in days):
        return _cut(text, [(match.start(), match.start()) for match in days], len(text))
    for match in _LABELLED.finditer(copy):
        lines = match["lines"].split("\n")
        if _is_label(match["label"], bool(match["gap"])) and _are_items(lines):
            starts, at = [], match.start("lines")
            for line in lines:
                starts.append((at, at))
                at += len(line) + 1
            return _cut(text, starts, len(text))
    return []


def _counted(copy: str) -> list[re.Match[str]]:
    """The lines that begin with one word and numbers that count from 1."""
    found: list[re.Match[str]] = []
    for match in _COUNTED.finditer(copy):
        is_next = int(match["number"]) == len(found) + 1
        if is_next and (not found or match["word"] == found[0]["word"]):
            found.append(match)
    return found


def _is_label(line: str, is_apart: bool) -> bool:
    title = line.strip(" \t*_#")
    words = title.rstrip(":： ")
    if section_labels.is_work(words):
        return True
    if section_labels.is_context(words):
        return False
    return bool((is_apart or words != title) and _LIST_OF_WORK.fullmatch(words))


def _are_items(lines: list[str]) -> bool:
    """Whether no line goes on in the next one, as the lines of a paragraph do."""
    if any(len(line) > _LENGTH_MAX or line.rstrip().endswith(_GOES_ON) for line in lines):
        return False
    return len({line[0].islower() for line in lines}) == 1


def _cut(text: str, starts: list[tuple[int, int]], end: int) -> list[tuple[str, str]]:
    ends = [*(start for start, _ in starts[1:]), end]
    texts = [text[begin:end].strip() for (_, begin), end in zip(starts, ends, strict=True)]
    before = text[: starts[0][0]].strip()
    first = f"{before}\n{texts[0]}" if before else texts[0]
    return list(zip(texts, [first, *texts[1:]], strict=True))
