"""Read the lists of HTML, as mail programs and editors of web pages write them, as Markdown."""

import re
from html import unescape

from orchestration.planning.opaque_text import masked, masked_words
from orchestration.planning.tables import task_column

_LIST = re.compile(r"<[uo]l[ >]", re.IGNORECASE)
_HEAD_CELL = re.compile(r"<th(?: [^<>]*+)?>\s*([^<>\n]{1,40})</th>", re.IGNORECASE)
# HTML that is shown as code has these, and text that a person formatted has not.
_CODE_ONLY = re.compile(r"<(?:script|nav|form|template)\b|\b(?:class|id)=", re.IGNORECASE)
# Attributes with “<” or “>” in them are not known. Each character is read once at most.
_TAG = re.compile(
    r"<(?P<closing>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]{0,20}+)(?P<attributes>[^<>]*+)>|<[!?][^<>]*+>"
)
_CHECKBOX = re.compile(r"\btype\s*=\s*[\"']?checkbox\b", re.IGNORECASE)
_CHECKED = re.compile(r"(?<![\w-])checked\b", re.IGNORECASE)
_LISTS = frozenset(("ul", "ol"))
_CELLS = frozenset(("td", "th"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_BLOCKS = frozenset(("p", "div", "table", "blockquote", "ul", "ol", "hr", "body"))
_MARKS = {"del": "~~", "s": "~~", "strike": "~~", "code": "`"}
_SKIPPED = frozenset(("script", "style", "head", "title"))
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def without_html(text: str) -> str:
    """The text with its HTML as Markdown, if it has lists and is not code; else as it is."""
    if "<" not in text or "</" not in text:
        return text
    is_page = text.lstrip().startswith("<")
    copy = masked_words(masked(text)[0])
    if not (_LIST.search(copy) or _has_tasks(copy)) or (not is_page and _CODE_ONLY.search(copy)):
        return text
    if not is_page and copy != text:
        return text
    return _EMPTY_LINES.sub("\n\n", _Reader(is_page).read(text)).strip()


def _has_tasks(text: str) -> bool:
    """Whether the heads of its tables have a column of tasks."""
    return task_column([cell.strip() for cell in _HEAD_CELL.findall(text)]) is not None


class _Reader:
    """Collects the text; without `is_page`, only lists have lines that mean nothing."""

    def __init__(self, is_page: bool) -> None:
        self.is_page = is_page
        self.pieces: list[str] = []
        self.lists: list[str] = []
        self.skipped = 0
        self.is_in_cell = False

    def read(self, text: str) -> str:
        """The text as Markdown."""
        at = 0
        for match in _TAG.finditer(text):
            if at < match.start():
                self._data(text[at : match.start()])
            at = match.end()
            tag = match["tag"]
            if tag and match["closing"]:
                self._end(tag.lower())
            elif tag:
                self._start(tag.lower(), match["attributes"])
        self._data(text[at:])
        return "".join(self.pieces)

    def _start(self, tag: str, attributes: str) -> None:
        if tag in _SKIPPED:
            self.skipped += 1
        elif self.skipped:
            return
        elif tag == "li":
            marker = "1." if self.lists[-1:] == ["ol"] else "-"
            self.pieces.append(f"\n{'   ' * (len(self.lists) - 1)}{marker} ")
        elif tag in _LISTS:
            self.pieces.append("\n" if self.lists else "\n\n")
            self.lists.append(tag)
        elif tag in _CELLS:
            self.is_in_cell = True
            self.pieces.append("| ")
        elif tag in _BLOCKS or tag == "br":
            self._end_line()
        else:
            self.pieces.append(_mark(tag, attributes))

    def _end(self, tag: str) -> None:
        if tag in _SKIPPED:
            self.skipped = max(self.skipped - 1, 0)
        elif self.skipped:
            return
        elif tag in _LISTS:
            if self.lists:
                self.lists.pop()
            self.pieces.append("\n" if self.lists else "\n\n")
        elif tag in _CELLS:
            self.is_in_cell = False
            self.pieces.append(" ")
        elif tag == "tr":
            self.pieces.append("\n")
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._end_line()
        else:
            self.pieces.append(_MARKS.get(tag, ""))

    def _end_line(self) -> None:
        # Within an item or a cell a paragraph is not a new one.
        self.pieces.append(" " if self.lists or self.is_in_cell else "\n\n")

    def _data(self, data: str) -> None:
        if self.skipped:
            return
        data = unescape(data)
        if self.is_page or self.lists:
            before = self.pieces[-1] if self.pieces else "\n"
            data = _on_one_line(data, is_new=before[-1:] in ("", "\n", " "))
        self.pieces.append(data)


def _mark(tag: str, attributes: str) -> str:
    """What a tag that begins no item, cell or paragraph stands for in Markdown."""
    if tag in _HEADINGS:
        return f"\n\n{'#' * int(tag[1])} "
    if tag == "input" and _CHECKBOX.search(attributes):
        return "[x] " if _CHECKED.search(attributes) else "[ ] "
    return _MARKS.get(tag, "")


def _on_one_line(data: str, *, is_new: bool) -> str:
    """The data with single spaces, and none at the beginning of a line."""
    words = " ".join(data.split())
    if not words:
        return "" if is_new or not data else " "
    before = " " if data[0].isspace() and not is_new else ""
    return f"{before}{words} " if data[-1].isspace() else f"{before}{words}"
