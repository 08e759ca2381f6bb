"""Choose which items and sections of an outline are parts, and what text each of them has.

The rules: lists whose heading announces work, or that have boxes, are the parts; otherwise every
list whose heading does not announce context. In one section the outermost list counts, numbers
before letters before bullets; what is nested belongs to its item. Ticked items are left out.
Without lists, sections side by side are parts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from orchestration.planning import section_labels
from orchestration.planning.imperatives import is_order
from orchestration.planning.item_markers import are_letters, number_of
from orchestration.planning.outline import Item, Section, headings, outline

_KINDS = ("number", "decimal", "weak", "dot", "letter", "bullet", "row", "emoji")
_AFTER_ITEM = re.compile(r"[,;]\s{0,3}(?:and|then)?\Z")
_LOOK_BACK = 20
_LINE_MAX = 200
# So many lines that begin with an emoji are decoration.
_EMOJI_MAX = 2


@dataclass(frozen=True, slots=True)
class Found:
    """The parts of a text: pairs of own text and description, and how many items are done.

    `context`: where sections are that only say what to know, if there are no parts.
    """

    parts: list[tuple[str, str]]
    done: int = 0
    context: Sequence[tuple[int, int]] = ()


def list_parts(text: str, masked: str) -> Found:
    """The parts that the lists or sections of a text are; none if it has neither."""
    sections = outline(masked)
    chosen = _chosen_by_section(sections) or _requirements(text, sections)
    open_items = [(s, item) for s, items in chosen for item in items if not item.is_done]
    done = sum(item.is_done for _, items in chosen for item in items)
    total = len(open_items) + done
    if total < 2 and not (total and open_items and open_items[0][1].has_box):
        context = tuple((s.start, s.end) for s in sections if s.role == "context")
        return Found(_section_parts(text, sections), context=context)
    if not open_items:
        return Found([], done)
    return Found(_texts(text, chosen), done)


def _chosen_by_section(sections: list[Section]) -> list[tuple[Section, list[Item]]]:
    """The items that are parts, ticked ones included, of each section that has some."""
    chosen = [(s, _outermost(s.items)) for s in sections if s.items and s.role != "context"]
    chosen = [(s, items) for s, items in chosen if items]
    strong = [(s, items) for s, items in chosen if s.role == "work" or _have_boxes(items)]
    if strong:
        return strong
    steps = [(s, [_step(s)]) for s in sections if chosen and _is_lone_step(s)]
    return sorted(chosen + steps, key=lambda each: each[0].start)


def _requirements(text: str, sections: list[Section]) -> list[tuple[Section, list[Item]]]:
    """The requirements of a text that says nothing else to do, most of which are orders."""
    if any(text[s.body : s.end].strip() for s in sections if s.role != "context"):
        return []
    wanted = [
        s for s in sections if any(section_labels.is_requirements(h.title) for h in headings(s))
    ]
    chosen = [(section, _outermost(section.items)) for section in wanted]
    items = [item for _, items in chosen for item in items]
    orders = sum(
        is_order(text[item.begin : item.begin + _LINE_MAX].split("\n")[0]) for item in items
    )
    return [(s, items) for s, items in chosen if items] if 2 * orders > len(items) else []


def _have_boxes(items: list[Item]) -> bool:
    return any(item.has_box for item in items)


def _step(section: Section) -> Item:
    return Item(section.start, section.start, "section", "", 0)


def _is_lone_step(section: Section) -> bool:
    """Whether the section has no list, and its heading is that of a step."""
    if section.items or section.role == "context" or not section.title:
        return False
    return section_labels.is_step(section.title)


def _outermost(items: list[Item]) -> list[Item]:
    """The items of the outermost list of a section, in the order of the text."""
    by_depth: dict[int, list[Item]] = {}
    for item in items:
        by_depth.setdefault(item.depth, []).append(item)
    only: list[Item] = []
    for depth in sorted(by_depth):
        same = _preferred(by_depth[depth])
        if len(same) == 1 and not same[0].is_done:
            # An only item is the heading of those below it.
            only = only or same
        elif same:
            return _with_open_below(same, items)
    return only


def _preferred(items: list[Item]) -> list[Item]:
    """Of the items of one depth, those of the kind that counts first and is a list."""
    for kind in _KINDS:
        same = [item for item in items if item.kind == kind]
        if same and _is_list(kind, same):
            return same
    return []


def _is_list(kind: str, same: list[Item]) -> bool:
    if kind == "emoji":
        return len(same) > _EMOJI_MAX
    if kind == "dot":
        return len(same) > 1
    if kind == "letter":
        return len(same) > 1 and are_letters(same[0].marker, same[1].marker)
    if kind == "weak":
        return len(same) > 1 and [number_of(item.marker) for item in same[:2]] == [1, 2]
    if kind == "decimal":
        return len(same) > 1 and same[0].marker.rstrip(".)").endswith((".1", ".0"))
    return True


def _with_open_below(same: list[Item], items: list[Item]) -> list[Item]:
    """The items, and those with a box below a ticked one, which is not quite done."""
    if not any(item.is_done for item in same):
        return same
    chosen: list[Item] = []
    ids = set(map(id, same))
    ticked: Item | None = None
    for item in items:
        if id(item) in ids:
            ticked = item if item.is_done else None
            chosen.append(item)
        elif ticked is not None and item.has_box:
            chosen.append(item)
    return chosen


def _texts(text: str, chosen: list[tuple[Section, list[Item]]]) -> list[tuple[str, str]]:
    """The own text and the description of each open item.

    A description begins with the headings that not all parts share. Text between the parts belongs
    to the part before it in its section, else to the next one; so does the text before the first.
    """
    writer = _Writer(text, _shared_headings([section for section, _ in chosen]))
    for section, items in chosen:
        writer.add_section(section, items)
    return writer.finished()


def _shared_headings(sections: list[Section]) -> int:
    """How many headings are above all of these sections."""
    paths = [list(headings(section)) for section in sections]
    if len(paths) == 1:
        return len(paths[0])
    together = zip(*paths, strict=False)
    return len(list(takewhile(lambda same: len({id(each) for each in same}) == 1, together)))


class _Writer:
    """Puts the descriptions of parts together."""

    def __init__(self, text: str, shared: int) -> None:
        self.text, self.shared = text, shared
        self.parts: list[tuple[str, str]] = []
        self.waiting: list[str] = []
        self.at = 0

    def add_section(self, section: Section, items: list[Item]) -> None:
        """Add the open items of a section."""
        self._wait_until(section.start)
        titles = [each for each in list(headings(section))[self.shared :] if each.title]
        heading = "\n".join(self._heading(each) for each in titles)
        if items[0].kind == "section":
            self._add(section.title, self.text[section.start : section.end].strip(), "")
            self.at = section.end
            return
        if titles and titles[-1] is section:
            self.at = section.body
        self._wait_until(_begin(items[0]))
        self.at = max(self.at, items[0].start)
        ends = [*_ends(items), section.end]
        for item, end in zip(items, ends, strict=True):
            self.at = end
            if not item.is_done:
                self._add(*self._item(item, end), heading)

    def _heading(self, section: Section) -> str:
        return self.text[section.start : section.body].strip()

    def _item(self, item: Item, end: int) -> tuple[str, str]:
        if item.row is None:
            own = _trim(_without_half_bold(self.text[item.begin : end]))
            return own, own
        rest = self.text[item.row.end : end].strip()
        return item.row.task, f"{item.row.text}\n{rest}" if rest else item.row.text

    def _add(self, own: str, description: str, heading: str) -> None:
        if self.waiting or heading:
            pieces = [*self.waiting, heading, description]
            self.waiting = []
            description = "\n".join(piece for piece in pieces if piece)
        self.parts.append((own, description))

    def _wait_until(self, end: int) -> None:
        """Keep the text up to here for the next part."""
        if piece := self.text[self.at : end].strip():
            self.waiting.append(piece)
        self.at = max(self.at, end)

    def finished(self) -> list[tuple[str, str]]:
        """The parts; the text after them belongs to the last one."""
        self._wait_until(len(self.text))
        if self.waiting:
            own, description = self.parts[-1]
            self.parts[-1] = (own, "\n\n".join([description, *self.waiting]))
        return self.parts


def _begin(item: Item) -> int:
    """Where the item begins; the first row of a table begins with the head of the table."""
    return item.row.head_start if item.row else item.start


def _ends(items: list[Item]) -> list[int]:
    """Where each item but the last one ends: where the next one begins."""
    pairs = zip(items, items[1:], strict=False)
    return [
        item.start if item.row and before.row and item.row.is_below(before.row) else _begin(item)
        for before, item in pairs
    ]


def _without_half_bold(text: str) -> str:
    """The text without the second half of a pair of asterisks that begins before the marker."""
    if "**" not in text:
        return text
    first, feed, rest = text.partition("\n")
    return f"{first.replace('**', '', 1)}{feed}{rest}" if first.count("**") % 2 else text


def _trim(item: str) -> str:
    """The item without the separators after it."""
    item = item.strip()
    end = item[-_LOOK_BACK:]
    if "," not in end and ";" not in end:
        return item
    after = _AFTER_ITEM.search(item, max(len(item) - _LOOK_BACK, 0))
    return (item[: after.start()].strip() if after else "") or item


def _section_parts(text: str, sections: list[Section]) -> list[tuple[str, str]]:
    """Sections side by side as parts, each with its heading; none if there is only one."""
    titled = [section for section in sections if section.title and section.role != "context"]
    for level in sorted({section.level for section in titled}):
        same = [section for section in titled if section.level == level]
        if len(same) > 1:
            return _cut(text, sections, same)
    return []


def _cut(text: str, sections: list[Section], same: list[Section]) -> list[tuple[str, str]]:
    starts = [section.start for section in same]
    ends = [*starts[1:], len(text)]
    found = [
        (section.title, text[section.start : end].strip())
        for section, end in zip(same, ends, strict=True)
    ]
    if before := text[: starts[0]].strip():
        found[0] = (found[0][0], f"{before}\n\n{found[0][1]}")
    return found
