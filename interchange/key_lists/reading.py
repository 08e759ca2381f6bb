"""Read a list of API keys from the text of a file."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.views.decorators.debug import sensitive_variables

from interchange.key_lists.entries import Entry, column
from interchange.state_files.files import MalformedFile, parse
from keys.refusals import WrongValue
from keys.supply.known_providers import provider_of_variable

# Spreadsheets save as "Unicode text" so.
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
BYTES_MAX = 5 * 1024**2
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
_LINE_OF_ENV = re.compile(r"\s*(?:export\s+)?[A-Z][A-Z0-9_]*\s*=")
# What a variable says of a provider's account: OPENAI_API_KEY, OPENAI_API_KEY_2, OPENAI_MODEL.
_VARIABLE = re.compile(
    r"(?P<provider>.+?)_(?P<what>API_KEY|APIKEY|API_TOKEN|SECRET_KEY|TOKEN|KEY|MODEL|BASE_URL|API_BASE)"
    r"(?:_(?P<account>\w+))?"
)
_SHARED = ("model", "base_url")
_OF_VARIABLE = {"MODEL": "model", "BASE_URL": "base_url", "API_BASE": "base_url"}


@sensitive_variables()
def read(content: bytes, *, file: str) -> list[Entry]:
    """The keys of a CSV, JSON or .env file, whose form is seen by its content.

    Refusals: MalformedFile, WrongValue (a column that is none).
    """
    if len(content) > BYTES_MAX:
        raise MalformedFile(f"{file} is larger than {BYTES_MAX // 1024**2} MB.", file=file)
    try:
        text = content.decode(
            "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        )
    except UnicodeDecodeError as error:
        raise MalformedFile(f"{file}: byte {error.start} is not UTF-8.", file=file) from None
    if "\0" in text:
        raise MalformedFile(f"{file} is no text.", file=file)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise MalformedFile(f"{file} is empty.", file=file)
    if lines[0].lstrip()[:1] in "[{":
        return list(_from_json(parse(text.encode(), file=file), file))
    if _LINE_OF_ENV.match(lines[0]):
        return list(_from_env(text))
    return list(_from_csv(text, file))


def _from_json(document: Any, file: str) -> Iterator[Entry]:
    members = document.get("keys") if isinstance(document, dict) else document
    if not isinstance(members, list):
        raise MalformedFile(f"{file} must be a list of keys, or have one as keys.", file=file)
    for number, member in enumerate(members, start=1):
        if not isinstance(member, dict):
            yield Entry(line=number, values={}, problem="It is no object.")
            continue
        values = {}
        for name, value in member.items():
            if (of := column(name)) is not None and value is not None:
                values[of] = _text(value)
        yield Entry(line=number, values=values)


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _from_csv(text: str, file: str) -> Iterator[Entry]:
    head = next(line for line in text.splitlines() if line.strip())
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    columns: list[str | None] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if columns is None:
                columns = [column(cell) for cell in cells]
                _refuse_twice(columns, file)
            else:
                yield _row(reader.line_num, cells, columns)
    except csv.Error as error:
        raise MalformedFile(f"{file}: line {reader.line_num}: {error}.", file=file) from None


def _refuse_twice(columns: list[str | None], file: str) -> None:
    named = [name for name in columns if name]
    for name in named:
        if named.count(name) > 1:
            raise WrongValue(f"{file} has the column {name} twice.", field="columns")


def _row(line: int, cells: list[str], columns: list[str | None]) -> Entry:
    if len(cells) > len(columns):
        problem = f"It has {len(cells)} values, but the head has {len(columns)} columns."
        return Entry(line=line, values={}, problem=problem)
    values = {name: cell for name, cell in zip(columns, cells, strict=False) if name and cell}
    return Entry(line=line, values=values)


@sensitive_variables()
def _from_env(text: str) -> Iterator[Entry]:
    """A key for each variable of a provider. Others, such as DEBUG, are told as a problem only if
    they look like a secret of a provider that is not known."""
    accounts: dict[str, tuple[int, dict[str, str]]] = {}
    unknown: list[Entry] = []
    for number, line in enumerate(text.splitlines(), start=1):
        assigned = _ASSIGNMENT.match(line)
        named = assigned and _VARIABLE.fullmatch(assigned[1].upper())
        if not assigned or not named:
            continue
        value = _unquoted(assigned[2])
        of = _OF_VARIABLE.get(named["what"], "secret")
        provider = provider_of_variable(named["provider"])
        if provider is None:
            if of == "secret" and value:
                problem = f"{assigned[1]} names no provider that Butler knows."
                unknown.append(Entry(line=number, values={}, problem=problem))
            continue
        account = (named["account"] or "").lower().replace("_", "-")
        name = f"{provider}-{account or '1'}"
        line_of, values = accounts.setdefault(
            name, (number, {"key_id": name, "provider": provider})
        )
        if value:
            values[of] = value
    yield from _with_secrets(accounts)
    yield from unknown


def _with_secrets(accounts: Mapping[str, tuple[int, dict[str, str]]]) -> Iterator[Entry]:
    """What is said of a provider's first account counts for all of its accounts."""
    for line, values in accounts.values():
        if "secret" in values:
            _, first = accounts.get(f"{values['provider']}-1", (0, {}))
            shared = {name: first[name] for name in _SHARED if name in first}
            yield Entry(line=line, values=shared | values)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return re.split(r"\s+#", text, maxsplit=1)[0].strip()
