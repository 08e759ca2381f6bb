"""The outline of a text: its sections, and the items of lists and tables in them.

It reads Markdown as people write it, which is more than CommonMark: numbers of many scripts,
boxes, headings in bold, labels such as “Next steps:”.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestration.planning import item_markers, section_labels
from orchestration.planning.item_markers import LINE
from orchestration.planning.opaque_text import code_blocks, is_about_a_text
from orchestration.planning.tables import Row, rows, says_done
from orchestration.refusals import WrongPlan

_BOLD_LEVEL, _LABEL_LEVEL = 7, 8
_NESTED_FROM = 2
_CODE_MARGIN = 4
# Of bullets, these also begin headings, in Japan above all.
_BIG_BULLETS = frozenset("■◆▼●□◇○")
_KINDS = ("number", "decimal", "weak", "dot", "letter", "bullet", "emoji")
_SAYS_DONE = re.compile(
    r"\n[ \t]++(?:status|state|done|completed|"
    r"closed):[ ]*+['\"]?(?P<value>[\w ]{1,20}?)['\"]?[ \t]*+(?=\n|\Z)"
)
# As many as a plan can have at most in any installation.
ITEMS_MAX = 100_000


@dataclass(slots=True)
class Item:
    """An item: `start` of its line, `begin` of its text, how many items it is nested in."""

    start: int
    begin: int
    kind: str
    marker: str
    indent: int
    depth: int = 0
    has_box: bool = False
    is_done: bool = False
    row: Row | None = None


@dataclass(slots=True)
class Section:
    """A heading with what follows it up to the next one; the first section has no heading.

    `role`: `work`, `context`, or empty. `above`: the headings that it is below of.
    """

    start: int
    body: int
    title: str = ""
    level: int = 0
    role: str = ""
    above: tuple["Section", ...] = ()
    items: list[Item] = field(default_factory=list)
    end: int = 0


def outline(masked: str) -> list[Section]:
    """The sections of a text, of which code and quotes are masked, in their order.

    Refusal: WrongPlan if there are more lines of lists and headings than anybody would read.
    """
    reader = _Reader(masked)
    for count, match in enumerate(LINE.finditer(masked)):
        if count >= ITEMS_MAX:
            raise WrongPlan(
                f"The description has more than {ITEMS_MAX:,} items and headings.",
                count_max=ITEMS_MAX,
            )
        reader.read(match)
    reader.sections[-1].end = len(masked)
    for section in reader.sections:
        if section.items:
            _nest(section.items)
    _add_rows(masked, reader.sections)
    _mark_done(masked, reader.sections)
    return reader.sections


class _Reader:
    """Reads the lines that matter in their order."""

    def __init__(self, masked: str) -> None:
        self.text = masked
        self.sections = [Section(0, 0)]
        self.blocks = deque(code_blocks(masked))
        # Looked for when there is an item.
        self.has_done_ends: bool | None = None

    def read(self, match: re.Match[str]) -> None:
        """Take one line into the outline."""
        kind = match.lastgroup or ""
        if kind == "box":
            kind = next(kind for kind in _KINDS if match[kind] is not None)
        if self.blocks and self._is_code(match, kind):
            return
        if kind == "heading":
            # With more margin it is a comment of code.
            if not match["indent"] or len(match["indent"].expandtabs(4)) < _CODE_MARGIN:
                self._heading(match.start(), match.end(), len(match["heading"]))
        elif kind == "underline":
            self._underlined(match)
        elif kind == "bold":
            self._bold(match)
        elif match[kind] in _BIG_BULLETS and self._is_above_items(match):
            self._heading(match.start(), match.end(), _BOLD_LEVEL)
        else:
            self._item(match, kind)

    def _heading(self, start: int, begin: int, level: int) -> None:
        end = _line_end(self.text, begin)
        self._open(start, end, self.text[begin:end].strip(" \t#="), level)

    def _is_above_items(self, match: re.Match[str]) -> bool:
        """Whether the next line begins with another mark, as “・” below “■”."""
        at = _line_end(self.text, match.end()) + 1
        below = LINE.match(self.text, at)
        kind = below.lastgroup if below else ""
        return kind in _KINDS and below[kind] not in _BIG_BULLETS  # type: ignore[index]

    def _underlined(self, match: re.Match[str]) -> None:
        start, line = _line_before(self.text, match.start())
        is_item = self._last() is not None and self._last().start >= start  # type: ignore[union-attr]
        short = len(line) <= section_labels.LENGTH_MAX
        if line.strip() and short and not is_item and start >= self.sections[-1].body:
            level = 1 if match["underline"].startswith("=") else 2
            self._open(start, _line_end(self.text, match.start()), line.strip(), level)

    def _bold(self, match: re.Match[str]) -> None:
        title = match["bold"].strip(" *_:：【】")
        if match["indent"] or self._follows_item(match.start()):
            return
        self._open(match.start(), _line_end(self.text, match.start()), title, _BOLD_LEVEL)

    def _open(self, start: int, body: int, title: str, level: int, role: str = "") -> None:
        before = self.sections[-1]
        before.end = start
        above = before.above
        if before.level != level:
            above = tuple(each for each in (*above, before) if 0 < each.level < level)
        role = section_labels.role_of(title) or role or (above[-1].role if above else "")
        self.sections.append(Section(start, body, title, level, role, above))

    def _last(self) -> Item | None:
        items = self.sections[-1].items
        return items[-1] if items else None

    def _follows_item(self, start: int) -> bool:
        """Whether the line before belongs to an item, without an empty line between."""
        last = self._last()
        return last is not None and bool(_line_before(self.text, start)[1].strip())

    def _is_code(self, match: re.Match[str], kind: str) -> bool:
        """Whether the line is indented code; within a list, indentation means something else.

        Numbers that a line with a colon announces are a list, as people indent it in mails.
        """
        start = match.start()
        while self.blocks and self.blocks[0][1] <= start:
            self.blocks.popleft()
        if not self.blocks or start < self.blocks[0][0]:
            return False
        if self._last() is not None or (kind == "number" and self._is_announced(start)):
            # The rest of the block is read the same way.
            self.blocks.popleft()
            return False
        return True

    def _is_announced(self, start: int) -> bool:
        _, line = _text_before(self.text, start, self.sections[-1].body)
        return line.rstrip().endswith((":", "：")) and not is_about_a_text(f"{line}\n")

    def _item(self, match: re.Match[str], kind: str) -> None:
        last = self._last()
        # Below the first line of an item there is no label.
        if last is None or self.text.find("\n", last.begin) + 1 != match.start():
            self._label(match)
        marker = match[kind]
        start, begin = match.span()
        indent = match["indent"]
        item = Item(start, begin, kind, marker, len(indent.expandtabs(4)) if indent else 0)
        if box := match["box"]:
            item.has_box = True
        if box or self.text.startswith("~~", begin):
            item.is_done = item_markers.is_done(box or "", self.text, begin)
        elif self._has_done_ends():
            item.is_done = item_markers.ends_with_done(self.text, begin)
        if box and box[0] in "TNW":
            # “TODO app” is perhaps no box; its word is kept.
            item.begin = match.start("box")
        self.sections[-1].items.append(item)

    def _has_done_ends(self) -> bool:
        if self.has_done_ends is None:
            self.has_done_ends = item_markers.may_end_with_done(self.text)
        return self.has_done_ends

    def _label(self, match: re.Match[str]) -> None:
        """Open a section if the line before the list is a label such as “Next steps:”, or the same
        without a colon below an empty line."""
        if match["indent"].expandtabs(4)[4:]:
            return
        start, line = _text_before(self.text, match.start(), self.sections[-1].body)
        title = line.rstrip(" *_\t")
        last = self._last()
        if not title or title[0].isspace():
            return
        if last is not None and self._is_in_item(start, last):
            return
        if section_labels.is_given(title, with_letters=match.lastgroup == "letter"):
            # The line itself is an order.
            end = start + len(line)
            self._open(end, end, "", _LABEL_LEVEL, role="context")
            return
        if len(title) > section_labels.LENGTH_MAX:
            return
        if not title.endswith((":", "：")) and _line_before(self.text, start)[1].strip():
            return
        if section_labels.is_work(title) or section_labels.is_context(title):
            self._open(start, start + len(line), title.strip(" *_:："), _LABEL_LEVEL)

    def _is_in_item(self, start: int, last: Item) -> bool:
        return last.start >= start or bool(_line_before(self.text, start)[1].strip())


def _nest(items: list[Item]) -> None:
    """Count for each item in how many others it is, by indentation and parts of its number."""
    stack: list[int] = []
    for item in items:
        indent = item.indent + _NESTED_FROM * item_markers.level_of(item.kind, item.marker)
        while stack and indent < stack[-1] + _NESTED_FROM:
            stack.pop()
        item.depth = len(stack)
        stack.append(indent)


def _add_rows(masked: str, sections: list[Section]) -> None:
    """Put rows of tables of tasks into the sections that they are in."""
    at = 0
    for row in rows(masked):
        while at + 1 < len(sections) and sections[at + 1].start <= row.start:
            at += 1
        item = Item(row.start, row.start, "row", "", 0, row=row, is_done=row.is_done)
        sections[at].items.append(item)


def _mark_done(masked: str, sections: list[Section]) -> None:
    """Mark the items of which a line below says so, as “done: true” in a list of YAML."""
    for match in _SAYS_DONE.finditer(masked) if ":" in masked else ():
        if not says_done(match["value"]) and match["value"].lower() != "true":
            continue
        section = sections[bisect_right(sections, match.start(), key=_start_of) - 1]
        at = bisect_right(section.items, match.start(), key=_start_of) - 1
        if at >= 0:
            section.items[at].is_done = True


def _start_of(each: Item | Section) -> int:
    return each.start


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _line_before(text: str, start: int) -> tuple[int, str]:
    """The position and text of the line before the one that starts here."""
    end = max(start - 1, 0)
    begin = text.rfind("\n", 0, end) + 1
    return begin, text[begin:end]


def _text_before(text: str, start: int, least: int) -> tuple[int, str]:
    """The last line with text before this line; at most one empty line is between them."""
    for _ in range(2):
        if start <= least:
            break
        start, line = _line_before(text, start)
        if line.strip():
            return (start, line) if start >= least else (start, "")
    return start, ""


def headings(section: Section) -> Iterator[Section]:
    """The headings above a section, and its own."""
    yield from (*section.above, section)
