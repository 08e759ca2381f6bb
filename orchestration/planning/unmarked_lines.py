"""Lists whose items have no markers: lines below “To do:”, and lines that begin with “TODO:”."""

import re
from collections.abc import Iterator

from orchestration.planning import section_labels
from orchestration.planning.imperatives import is_order

_MARKED = re.compile(
    r"^[ \t]*+(?:(?://+|--|;+|/?\*+)[ \t]*)?(?:TODO|FIXME|XXX|HACK|"
    r"BUG)(?:\([^()\n]*\))?:[ \t]++(?=\S)",
    re.MULTILINE,
)
_LABELS = re.compile(
    r"^[ \t]*+(?-i:(?![a-z]))(?:sub-?tasks?|task|action(?: item)?|step|teilaufgabe|aufgabe|tarea|"
    r"subtarea|tâche|"
    r"任务|子任务|タスク)"
    r"[ ]?[:：][ \t]*+(?=\S)",
    re.MULTILINE | re.IGNORECASE,
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
# Keys of trackers, such as “ENG-101 Add …”. Standards are named in the same way.
_TICKET = re.compile(
    r"^\[?(?!(?:UTF|ISO|SHA|RFC|COVID|GPT|IEC|DIN|EN|CVE|CWE|AES|MD|HTTP|"
    r"USB)-)[A-Z][A-Z0-9]{1,9}-\d{1,6}\]?:?[ \t]+(?=\S)",
    re.MULTILINE,
)
# The times of a day: “09:00 Read chapter 4”, “10:30 – 11:00: Write”; and no chat.
_TIMED = re.compile(
    r"[ \t]*+\d{1,2}[:.]\d\d(?:[ ]?[ap]m\b)?"
    r"(?:[ ]?[-–][ ]?\d{1,2}[:.]\d\d(?:[ ]?[ap]m\b)?)?"
    r"(?:[ ]?(?:Uhr|h))?[ ]?[-–:|]?[ \t]++(?=[^\W\d])(?!\w++:[ ])",
    re.IGNORECASE,
)
# “[Backend] Add …”, “@anna check …”, “Anna: check …”; and no program's output.
_ASSIGNED = re.compile(
    r"(?:\[(?!(?i:info|warn|warning|error|debug|trace|fatal|ok|fail|pass)\])[^\]\n]{1,30}\]|"
    r"@[\w.-]{1,30}[:,]?"
    r"|[^\W\d_][\w .'’-]{0,30}:)[ ]++(?=\S)"
)
# “**Discover** – talk to …”: paragraphs with their names.
_NAMED = re.compile(r"(?:\*\*|__)[^*_\n]{1,60}(?:\*\*|__)[ ][–—-][ ]+(?=\S)")
_PARAGRAPHS = re.compile(r"\n(?:[ \t]*\n)+")
# A label, then lines up to an empty one.
_LABELLED = re.compile(
    r"^(?P<label>[^\n]{2,80})\n(?P<gap>[ \t]*\n)?(?P<lines>[^\s][^\n]*(?:\n[^\s][^\n]*)*)",
    re.MULTILINE,
)
_LIST_OF_WORK = re.compile(
    r"(?!(?:done|completed|finished|closed|old)\b)(?:[\w'’-]+ ){0,4}"
    r"(?:backlog|to-?do(?: list)?|tasks|action items|next steps)"
    r"(?: (?:for|this|until|by|today|tomorrow|next)\b.*)?",
    re.IGNORECASE,
)
_FIRST_COUNT = ("0:", "1:", "1.", "1)", "1 :", "1 .", "1 )", "1–", "1-", "1 –", "1 -")
_GOES_ON = (",", ";", "(", "-", ":", "：", "，", "、")
_LENGTH_MAX = 80
_READ_MAX = 200_000


def line_parts(text: str, copy: str) -> list[tuple[str, str]]:
    """The lines as pairs of own text and description; none if there are not two at least.

    `copy` is the text with code and quotes masked; positions are found in it.
    """
    copy = copy[:_READ_MAX]
    for found in _marked(copy):
        if len(found) > 1:
            return _cut(text, [match.span() for match in found], len(text))
    if starts := _tickets(copy) or _timed(copy) or _named(copy) or _assigned(copy):
        return _cut(text, [(start, start) for start in starts], len(text))
    days = list(_DAY.finditer(copy))
    # “Mon: 9–17” is an opening hour.
    if len(days) > 1 and not any(copy[match.end()].isdigit() for match in days):
        return _cut(text, [(match.start(), match.start()) for match in days], len(text))
    begins = [begin for match in _LABELLED.finditer(copy) for begin in _below_label(match, copy)]
    return _cut(text, [(begin, begin) for begin in begins], len(text)) if len(begins) > 1 else []


def _below_label(match: re.Match[str], copy: str) -> Iterator[int]:
    """Where the lines below a label of work begin; the first one of a later label with it."""
    lines = match["lines"].split("\n")
    if not _is_label(match["label"], bool(match["gap"])) or not _are_items(lines):
        return
    at = match.start("lines")
    yield match.start() if copy[: match.start()].strip() else at
    for line in lines[:-1]:
        at += len(line) + 1
        yield at


def _marked(copy: str) -> Iterator[list[re.Match[str]]]:
    """The lines of each kind of marks, if the text has what stands in each such mark."""
    if ":" in copy or "：" in copy:
        yield list(_MARKED.finditer(copy))
        yield list(_LABELS.finditer(copy))
    if any(mark in copy for mark in _FIRST_COUNT):
        yield _counted(copy)


def _counted(copy: str) -> list[re.Match[str]]:
    """The lines that begin with one word and numbers that count from 1."""
    found: list[re.Match[str]] = []
    first = 1
    for match in _COUNTED.finditer(copy):
        if not found:
            # “P0” is a priority.
            first = min(int(match["number"]), 1)
        is_next = int(match["number"]) == len(found) + first
        if is_next and (not found or match["word"] == found[0]["word"]):
            found.append(match)
    return found


def _tickets(copy: str) -> list[int]:
    """Where the lines of a block begin that all begin with the key of a ticket."""
    first = _TICKET.search(copy) if "-" in copy else None
    if not first:
        return []
    starts: list[int] = []
    at = first.start()
    for line in copy[at:].split("\n"):
        if _TICKET.match(copy, at):
            starts.append(at)
        elif not line.strip():
            break
        elif not line[0].isspace():
            return []
        at += len(line) + 1
    return starts if len(starts) > 1 else []


def _timed(copy: str) -> list[int]:
    return _each_line(copy, _TIMED)


def _assigned(copy: str) -> list[int]:
    """Where the lines begin if each has a name before it, and most of them are orders."""
    starts = _each_line(copy, _ASSIGNED)
    lines = [copy[start : start + _LENGTH_MAX].split("\n")[0] for start in starts]
    rests = [_ASSIGNED.sub("", line, count=1) for line in lines]
    return starts if 2 * sum(map(is_order, rests)) > len(starts) else []


def _each_line(copy: str, beginning: re.Pattern[str]) -> list[int]:
    """Where the lines begin if each begins so, or each below a label of work."""
    starts: list[int] = []
    at = 0
    for line in copy.split("\n"):
        if beginning.match(line):
            starts.append(at)
        elif line.strip() and (starts or not section_labels.is_work(line)):
            return []
        at += len(line) + 1
    return starts if len(starts) > 1 else []


def _named(copy: str) -> list[int]:
    """Where the paragraphs begin if each one but the first begins with a name in bold."""
    if not any(mark in copy for mark in ("** ", "__ ")):
        return []
    starts = [0, *(match.end() for match in _PARAGRAPHS.finditer(copy.rstrip()))]
    named = [start for start in starts if _NAMED.match(copy, start)]
    are_all = len(named) >= len(starts) - 1 and named[-1:] == starts[-1:]
    return named if are_all and len(named) > 1 else []


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
