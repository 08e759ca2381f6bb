"""Read a state file of any size: sessions and history entry by entry, the rest as one value."""

import codecs
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from interchange.state_files.counted import Counted
from interchange.state_files.files import MalformedFile, decoder, explained, parse

# The members of `token-manager-state.json` that have an entry for each session and for each call,
# and how they begin.
STREAMED = {"allocations": "{", "history": "["}
_PART = 1 << 20
# An error this close to the end of what is read may be a word that was cut in two.
_LONGEST_WORD = 64


class Entry(NamedTuple):
    """One entry of a streamed member; `name` is empty in a list."""

    member: str
    name: str
    value: Any


class Member(NamedTuple):
    """Another member of the document, or the beginning of a streamed one."""

    name: str
    value: Any


class Entries:
    """The entries of a streamed member, read from the file for each loop over them."""

    def __init__(self, path: Path, member: str) -> None:
        self._path, self._member = path, member

    def __iter__(self) -> Iterator[Any]:
        """The values of a list; the names and values of an object."""
        is_list, began = STREAMED[self._member] == "[", False
        for part in _parts(self._path):
            if isinstance(part, Entry) and part.member == self._member:
                yield part.value if is_list else (part.name, part.value)
            elif began:
                return
            else:
                began = part.name == self._member


def read(path: Path, *, tell: Callable[[int], None] = lambda _: None) -> Any:
    """The document in a file as `files.read` gives it, but what is `STREAMED` as `Entries`.

    All of the file is checked; `tell` is called with the number of members and entries that were
    read since. Refusals: MalformedFile, which names line and column.
    """
    try:
        if not _is_object(path):
            return parse(path.read_bytes(), file=path.name)
        found: dict[str, Any] = {}
        for part in Counted(_parts(path), tell):
            if isinstance(part, Member):
                found[part.name] = part.value
        return found
    except OSError as error:
        raise MalformedFile(f"{path} cannot be read: {error.strerror}.", file=str(path)) from None


def _is_object(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(_PART).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{"


def _parts(path: Path) -> Iterator[Member | Entry]:
    """The members of the document in their order; a streamed one, and then its entries."""
    with path.open("rb") as file:
        reader = _Reader(file, path.name)
        try:
            yield from _members(reader)
        except (ValueError, RecursionError) as error:
            raise reader.malformed(error) from None


def _members(reader: "_Reader") -> Iterator[Member | Entry]:
    for name in _names(reader):
        if reader.peek() != STREAMED.get(name):
            yield Member(name, reader.value())
            continue
        yield Member(name, Entries(reader.path, name))
        if STREAMED[name] == "{":
            yield from (Entry(name, each, reader.value()) for each in _names(reader))
        else:
            yield from _items(reader, name)
    if reader.peek():
        reader.fail("Extra data")


def _names(reader: "_Reader") -> Iterator[str]:
    """The names of the members of an object. Each time, the caller reads the value of the last."""
    names = set()
    reader.expect("{", "Expecting value")
    if reader.peek() == "}":
        reader.expect("}", "")
        return
    more = True
    while more:
        name = reader.name()
        if name in names:
            raise ValueError(f"an object has {json.dumps(name)} twice")
        names.add(name)
        reader.expect(":", "Expecting ':' delimiter")
        yield name
        more = reader.goes_on("}")


def _items(reader: "_Reader", member: str) -> Iterator[Entry]:
    reader.expect("[", "")
    if reader.peek() == "]":
        reader.expect("]", "")
        return
    more = True
    while more:
        yield Entry(member, "", reader.value())
        more = reader.goes_on("]")


class _Reader:
    """JSON values, one after the other, of which no more than one is held as text."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.path = Path(file.name)
        self._file, self._name = file, name
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = decoder()
        self._text, self._at, self._ended = "", 0, False
        # Of what is no longer held: bytes and lines, and the characters of its last line.
        self._bytes, self._lines, self._columns = 0, 0, 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\n\r":
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def expect(self, character: str, otherwise: str) -> None:
        """Read the character."""
        if self.peek() != character:
            self.fail(otherwise)
        self._at += 1

    def goes_on(self, end: str) -> bool:
        """Read the comma, or the end of the object or list."""
        if self.peek() not in (",", end):
            self.fail("Expecting ',' delimiter")
        self._at += 1
        return self._text[self._at - 1] == ","

    def name(self) -> str:
        """Read the name of a member."""
        if self.peek() != '"':
            self.fail("Expecting property name enclosed in double quotes")
        return str(self.value())

    def value(self) -> Any:
        """Read a value."""
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not (self._may_be_cut(error) and self._more()):
                    raise
                continue
            # A number at the end of what is read may go on, also behind `.`, `e` or `e-`.
            if end + 2 >= len(self._text) and self._more():
                continue
            self._at = end
            return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return (
            error.msg.startswith("Unterminated string")
            or error.pos > len(self._text) - _LONGEST_WORD
        )

    def _more(self) -> bool:
        """Read on; False at the end of the file. What was used already is dropped."""
        if self._ended:
            return False
        passed = self._text[: self._at]
        if lines := passed.count("\n"):
            self._lines, self._columns = self._lines + lines, 0
        self._columns += len(passed) - passed.rfind("\n") - 1
        # Twice as much for a value that is longer: none is read more often than its size asks.
        wanted = max(_PART, len(self._text) - self._at)
        content = self._file.read(wanted)
        self._ended = not content
        began = self._bytes - len(self._utf8.getstate()[0])
        try:
            fresh = self._utf8.decode(content, final=self._ended)
        except UnicodeDecodeError as error:
            raise ValueError(f"byte {began + error.start} is not UTF-8") from None
        self._text, self._at = self._text[self._at :] + fresh, 0
        self._bytes += len(content)
        return True

    def fail(self, what: str) -> NoReturn:
        """Refuse what stands here."""
        raise json.JSONDecodeError(what, self._text, self._at)

    def malformed(self, error: Exception) -> MalformedFile:
        """The refusal, with the place in the whole file."""
        if isinstance(error, json.JSONDecodeError):
            column = error.colno + (self._columns if error.lineno == 1 else 0)
            what = f"line {self._lines + error.lineno}, column {column}: {error.msg}"
        else:
            what = explained(error)
        return MalformedFile(f"{self._name}: {what}.", file=self._name)
