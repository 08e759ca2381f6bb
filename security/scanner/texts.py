"""Bytes of files as text, and what kind of text a file is by its name."""

from __future__ import annotations

import codecs
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Readable(Protocol):
        """What gives bytes, at most `size` at a time and none at its end."""

        def read(self, size: int, /) -> bytes: ...


WINDOW_BYTES = 5_000_000
OVERLAP_BYTES = 16_384
_SNIFFED_BYTES = 8_192
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

CODE, LOCK, PLAIN = "code", "lock", "plain"
_CODE_FILE = re.compile(
    r"\.(?:py|pyi|js|mjs|cjs|jsx|ts|tsx|java|kt|kts|scala|groovy|go|rs|c|cc|cpp|h|hpp|cs|fs|vb|rb|php|"
    r"swift|m|dart|lua|pl|pm|r|jl|ex|exs|erl|clj|hs|sol|vue|svelte|html?|css|scss|less|map|ipynb|po|pot)$",
    re.IGNORECASE,
)
_LOCK_FILE = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|go\.sum|[^/]*\.lock|RECORD|"
    r"[^/]*\.sum|[^/]*\.sha\d+|\.package-lock\.json|[^/]*requirements[^/]*\.txt|gradle\.lockfile)$"
)
_MINIFIED_FILE = re.compile(r"[.-]min\.(?:js|css|mjs)$|\.(?:bundle|chunk)\.js$|\.map$")
_LINE_CHARACTERS_OF_PEOPLE = 500


def kind_of(path: str, text: str) -> str:
    """CODE: values stand in quotes; LOCK: values are digests, or minified; PLAIN: the rest."""
    if _LOCK_FILE.search(path) or _MINIFIED_FILE.search(path):
        return LOCK
    if not _CODE_FILE.search(path):
        return PLAIN
    lines = text.count("\n", 0, 100_000) + 1
    long_lines = min(len(text), 100_000) / lines > _LINE_CHARACTERS_OF_PEOPLE
    return LOCK if long_lines and not path.endswith(".ipynb") else CODE


def windows(stream: Readable) -> Iterator[tuple[int, str]]:
    """(number of the first line, text) of each 5 MB of a file, with the end of the piece before.

    A binary file has none. A piece begins with a line, unless a line is longer than the overlap.
    """
    content = stream.read(WINDOW_BYTES)
    encoding = _encoding(content[:_SNIFFED_BYTES])
    line = 1
    while content and encoding:
        text = content.decode(encoding, "replace")
        yield line, text
        more = stream.read(WINDOW_BYTES)
        tail = _tail(content, encoding)
        line += text.count("\n") - tail.decode(encoding, "replace").count("\n")
        content = tail + more if more else b""


def _tail(content: bytes, encoding: str) -> bytes:
    tail = content[-OVERLAP_BYTES:]
    return tail[tail.find(b"\n") + 1 :] if encoding == "utf-8" else tail


def _encoding(head: bytes) -> str | None:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return "utf-8"
    half = len(head) // 2
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if half and head[offset::2].count(0) > half * 0.7 and not head[1 - offset :: 2].count(0):
            return encoding
    return None
