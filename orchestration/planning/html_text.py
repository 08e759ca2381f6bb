"""Read the lists of HTML, as mail programs and editors of web pages write them, as Markdown."""

import re
from html.parser import HTMLParser

from orchestration.planning.opaque_text import masked, masked_words

_LIST = re.compile(r"<[uo]l[ >]", re.IGNORECASE)
# HTML that is shown as code has these, and text that a person formatted has not.
_CODE_ONLY = re.compile(r"<(?:script|nav|form|template)\b|\b(?:class|id)=", re.IGNORECASE)
_BLOCKS = frozenset(("p", "div", "tr", "table", "blockquote", "ul", "ol", "hr", "body"))
_MARKS = {"del": "~~", "s": "~~", "strike": "~~", "code": "`"}
_SKIPPED = frozenset(("script", "style", "head", "title"))
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")


def without_html(text: str) -> str:
    """The text with its HTML as Markdown, if it has lists and is not code; else as it is."""
    if "<" not in text or "</" not in text:
        return text
    is_page = text.lstrip().startswith("<")
    copy = masked_words(masked(text)[0])
    if not _LIST.search(copy) or (not is_page and _CODE_ONLY.search(copy)):
        return text
    if not is_page and copy != text:
        return text
    reader = _Reader(is_page)
    reader.feed(text)
    reader.close()
    return _EMPTY_LINES.sub("\n\n", "".join(reader.pieces)).strip()


class _Reader(HTMLParser):
    """Collects the text; without `is_page`, only lists have lines that mean nothing."""

    def __init__(self, is_page: bool) -> None:
        super().__init__()
        self.is_page = is_page
        self.pieces: list[str] = []
        self.lists: list[str] = []
        self.skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self.skipped += 1
        elif tag in ("ul", "ol"):
            self.pieces.append("\n" if self.lists else "\n\n")
            self.lists.append(tag)
        elif tag == "li":
            marker = "1." if self.lists[-1:] == ["ol"] else "-"
            self.pieces.append(f"\n{'   ' * (len(self.lists) - 1)}{marker} ")
        elif tag == "input" and ("type", "checkbox") in attrs:
            self.pieces.append("[x] " if "checked" in dict(attrs) else "[ ] ")
        elif re.fullmatch("h[1-6]", tag):
            self.pieces.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in _BLOCKS or tag == "br":
            self._end_line()
        else:
            self.pieces.append(_MARKS.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self.skipped = max(self.skipped - 1, 0)
        elif tag in ("ul", "ol"):
            if self.lists:
                self.lists.pop()
            self.pieces.append("\n" if self.lists else "\n\n")
        elif tag in _BLOCKS or re.fullmatch("h[1-6]", tag):
            self._end_line()
        else:
            self.pieces.append(_MARKS.get(tag, ""))

    def _end_line(self) -> None:
        # Within an item a paragraph is not a new one.
        self.pieces.append(" " if self.lists else "\n\n")

    def handle_data(self, data: str) -> None:
        if self.skipped:
            return
        if self.is_page or self.lists:
            data = re.sub(r"\s+", " ", data)
            before = self.pieces[-1] if self.pieces else "\n"
            data = data.lstrip() if before[-1:] in ("", "\n", " ") else data
        self.pieces.append(data)
