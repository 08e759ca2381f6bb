"""Read a list of API keys from the text of a file."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.views.decorators.debug import sensitive_variables

from interchange.key_lists.entries import Entry, column, known_column
from interchange.key_lists.password_managers import ExportReader, is_export
from interchange.state_files.files import MalformedFile, parse
from keys.refusals import WrongValue
from keys.supply.known_providers import provider_of_variable

# Spreadsheets save as "Unicode text" so.
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
BYTES_MAX = 5 * 1024**2
# `export A=1` of a shell, `set A=1` of Windows, `$env:A = 1` of PowerShell, `A: 1` of YAML.
_PREFIX = r"\s*(?:export\s+|setx?\s+|\$env:|-\s+)?"
_ASSIGNMENT = re.compile(_PREFIX + r"([A-Za-z_][A-Za-z0-9_]*)\s*[=:]\s*(.*?)\s*$", re.IGNORECASE)
_SETX = re.compile(r"\s*setx\s+([A-Za-z_]\w*)\s+(.*?)(?:\s+/m)?\s*$", re.IGNORECASE)
_LINE_OF_ENV = re.compile(
    _PREFIX + r"(?:[A-Za-z_]\w*\s*=|(?-i:[A-Z][A-Z0-9_]*)\s*:)|\s*setx\s", re.IGNORECASE
)
# What a variable says of a provider's account: OPENAI_API_KEY, OPENAI_API_KEY_2, OPENAI_MODEL.
_VARIABLE = re.compile(
    r"(?P<provider>.+?)_(?P<what>API_KEY|APIKEY|API_TOKEN|SECRET_KEY|TOKEN|KEY|MODEL|BASE_URL|API_BASE)"
    r"(?:_(?P<account>\w+))?"
)
_SHARED = ("model", "base_url")
_OF_VARIABLE = {"MODEL": "model", "BASE_URL": "base_url", "API_BASE": "base_url"}
# Programs have other tokens and keys, too: those of a provider are called so.
_OF_PROVIDERS = ("API_KEY", "APIKEY", "API_TOKEN")
_QUOTED = re.compile(r"""(["'])(.*?)\1\s*;?\s*(?:#.*)?""")


@sensitive_variables()
def read(content: bytes, *, file: str) -> list[Entry]:
    """The keys of a CSV, JSON or .env file, whose form is seen by its content.

    Refusals: MalformedFile, WrongValue (a column that is none).
    """
    text = _text_of(content, file)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise MalformedFile(f"{file} is empty.", file=file)
    if lines[0].lstrip()[:1] in "[{":
        return list(_from_json(_document(text, lines, file), file))
    if _LINE_OF_ENV.match(lines[0]) and not _SEPARATOR.match(lines[0]):
        if not (entries := list(_from_variables(_assignments(text)))):
            raise MalformedFile(
                f"{file} has no variable with a provider's key, such as OPENAI_API_KEY.", file=file
            )
        return entries
    if _SECRET.search(text) and _ENCODED_DATA.search(text):
        raise _encoded(file)
    if not _has_head(lines[0]) and (entries := list(_from_variables(_assignments(text)))):
        # Variables within YAML, such as those of a container.
        return entries
    return list(_from_csv(text, file))


# A Secret of Kubernetes, in YAML; its `stringData` is not encoded.
_SECRET = re.compile(r"^kind:\s*Secret\s*$", re.MULTILINE)
_ENCODED_DATA = re.compile(r"^data:\s*$", re.MULTILINE)


def _encoded(file: str) -> MalformedFile:
    return MalformedFile(
        f"{file} has secrets that are encoded in base64. Write them decoded, as stringData.",
        file=file,
    )


@sensitive_variables()
def _has_head(line: str) -> bool:
    return bool(_SEPARATOR.match(line.strip())) or any(
        map(known_column, re.split(r"[,;\t|]", line.replace('"', "")))
    )


@sensitive_variables()
def _text_of(content: bytes, file: str) -> str:
    if len(content) > BYTES_MAX:
        raise MalformedFile(f"{file} is larger than {BYTES_MAX // 1024**2} MB.", file=file)
    if content.startswith(_WORKBOOKS):
        raise MalformedFile(
            f"{file} is no text. Save the workbook as CSV UTF-8; of a password manager, export CSV "
            "without encryption.",
            file=file,
        )
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedFile(
            f"{file}: byte {error.start} is not UTF-8. Save the file as CSV UTF-8.", file=file
        ) from None
    if "\0" in text:
        raise MalformedFile(f"{file} is no text.", file=file)
    return text


@sensitive_variables()
def _document(text: str, lines: list[str], file: str) -> Any:
    """The JSON of the text, or of its lines, each of which is an object."""
    if len(lines) > 1 and all(
        line.lstrip()[:1] == "{" and line.rstrip()[-1:] == "}" for line in lines
    ):
        return [parse(line.encode(), file=file) for line in lines]
    return parse(text.encode(), file=file)


@sensitive_variables()
def _from_json(document: Any, file: str) -> Iterator[Entry]:
    members = document
    if isinstance(document, dict):
        members = next((document[name] for name in _LISTS if name in document), None)
    if members is None and isinstance(document, dict):
        if document.get("kind") == "Secret" and "data" in document:
            raise _encoded(file)
        if entries := list(_from_variables(_variables(document))):
            yield from entries
            return
    if not isinstance(members, list):
        raise MalformedFile(
            f"{file} must be a list of keys, or have one as keys. Of a password manager, export "
            "CSV without encryption.",
            file=file,
        )
    for number, member in enumerate(members, start=1):
        if not isinstance(member, dict):
            yield Entry(line=number, values={}, problem="It is no object.")
            continue
        named = [(column(name), value) for name, value in member.items()]
        _refuse_twice([of for of, _ in named], f"{file}: object {number}")
        values = {of: _text(value) for of, value in named if of and value is not None}
        yield Entry(line=number, values=values)


@sensitive_variables()
def _variables(document: Mapping[str, Any], depth: int = 3) -> Iterator[tuple[int, str, str]]:
    """The variables of an object of names and values, and of the objects in it."""
    for name, value in document.items():
        if isinstance(value, str):
            yield 1, name, value.strip()
        elif isinstance(value, dict) and depth > 1:
            yield from _variables(value, depth - 1)


# What lists of keys are called in files that have more.
_LISTS = ("keys", "api_keys", "apiKeys")


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value.strip() if isinstance(value, str) else json.dumps(value)


# The first line of a file that Excel is to read, and the line below the head of a Markdown table.
_SEPARATOR = re.compile(r"sep=(.)$", re.IGNORECASE)
_RULE = re.compile(r":?-{3,}:?")


@sensitive_variables()
def _from_csv(text: str, file: str) -> Iterator[Entry]:
    # A carriage return alone ends the lines of old spreadsheets.
    text = re.sub(r"\r\n?", "\n", text)
    lines = text.split("\n")
    first = next(number for number, line in enumerate(lines) if line.strip())
    if named := _SEPARATOR.match(lines[first].strip()):
        lines[first] = ""
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    delimiter = named[1] if named else max(",;\t|", key=head.count)
    reader = csv.reader(
        io.StringIO("\n".join(lines)), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    row_entry: Callable[[int, list[str]], Entry] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if (
                not any(cells)
                or cells[0].startswith("#")
                or all(map(_RULE.fullmatch, filter(None, cells)))
            ):
                continue
            if row_entry is None:
                row_entry = _reader(cells, file)
            else:
                yield row_entry(reader.line_num, cells)
    except csv.Error as error:
        raise MalformedFile(f"{file}: line {reader.line_num}: {error}.", file=file) from None


@sensitive_variables()
def _reader(head: list[str], file: str) -> Callable[[int, list[str]], Entry]:
    """What makes the entry of a line, by the head of the file."""
    if is_export(head):
        export = ExportReader(head)
        _refuse_twice(export.columns, file)
        return partial(_checked_row, export.columns, export.entry)
    columns = _columns(head, file)
    return partial(_checked_row, columns, partial(_row, columns))


@sensitive_variables()
def _columns(cells: list[str], file: str) -> list[str | None]:
    """The columns of the head. What is no head may be secrets, so none of it is repeated."""
    if not any(map(known_column, cells)):
        raise MalformedFile(
            f"{file} has no head: its first line must name the columns, such as provider,model,"
            "secret,tokens_per_day.",
            file=file,
        )
    columns = [column(cell) for cell in cells]
    _refuse_twice(columns, file)
    return columns


def _refuse_twice(columns: list[str | None], file: str) -> None:
    named = [name for name in columns if name]
    for name in named:
        if named.count(name) > 1:
            raise WrongValue(f"{file} has the column {name} twice.", field="columns")


def _checked_row(
    columns: list[str | None],
    entry: Callable[[int, list[str]], Entry],
    line: int,
    cells: list[str],
) -> Entry:
    if len(cells) > len(columns):
        problem = f"It has {len(cells)} values, but the head has {len(columns)} columns."
        return Entry(line=line, values={}, problem=problem)
    return entry(line, cells)


def _row(columns: list[str | None], line: int, cells: list[str]) -> Entry:
    values = {name: cell for name, cell in zip(columns, cells, strict=False) if name and cell}
    return Entry(line=line, values=values)


@sensitive_variables()
def _assignments(text: str) -> Iterator[tuple[int, str, str]]:
    """The number of the line, the name and the value of each variable."""
    for number, line in enumerate(text.splitlines(), start=1):
        if assigned := _ASSIGNMENT.match(line) or _SETX.match(line):
            yield number, assigned[1], _unquoted(assigned[2])


@sensitive_variables()
def _from_variables(variables: Iterable[tuple[int, str, str]]) -> Iterator[Entry]:
    """A key for each variable of a provider. Others, such as DEBUG, are told as a problem only if
    they look like a secret of a provider that is not known."""
    accounts: dict[str, tuple[int, dict[str, str]]] = {}
    problems: list[Entry] = []
    for number, variable, value in variables:
        if not (named := _VARIABLE.fullmatch(variable.upper())):
            continue
        of = _OF_VARIABLE.get(named["what"], "secret")
        provider = provider_of_variable(named["provider"])
        if provider is None:
            if named["what"] in _OF_PROVIDERS and value:
                problem = f"{variable} names no provider that Butler knows."
                problems.append(Entry(line=number, values={}, problem=problem))
            continue
        account = (named["account"] or "").lower().replace("_", "-")
        name = f"{provider}-{account or '1'}"
        line_of, values = accounts.setdefault(
            name, (number, {"key_id": name, "provider": provider})
        )
        if of == "secret" and value and values.get(of, value) != value:
            problem = f"{variable} is a second secret of {name}, which line {line_of} names."
            problems.append(Entry(line=number, values={}, problem=problem))
        elif value:
            values[of] = value
    yield from _with_secrets(accounts)
    yield from problems


def _with_secrets(accounts: Mapping[str, tuple[int, dict[str, str]]]) -> Iterator[Entry]:
    """What is said of a provider's first account counts for all of its accounts."""
    for line, values in accounts.values():
        if "secret" in values:
            _, first = accounts.get(f"{values['provider']}-1", (0, {}))
            shared = {name: first[name] for name in _SHARED if name in first}
            yield Entry(line=line, values=shared | values)


def _unquoted(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        return quoted[2]
    return re.split(r"\s+#", text, maxsplit=1)[0].strip()
