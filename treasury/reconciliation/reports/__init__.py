"""Read the reports of providers: bytes in, lines out.

`read` knows every format by its name. Errors: UnreadableError; a report is read whole or not at
all.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from common.file_text import UnreadableError
from treasury.reconciliation.lines import Line
from treasury.reconciliation.reports import anthropic, csv_file, openai, openrouter

BYTES_MAX = 50_000_000
LINES_MAX = 1_000_000
Read = Callable[[bytes, Mapping[str, str]], list[Line]]


class Format(NamedTuple):
    """How a report is read, and what people call it."""

    label: str
    read: Read


FORMATS: Mapping[str, Format] = {
    "csv": Format("CSV file", csv_file.read),
    "openai_costs": Format("OpenAI: costs", openai.read_costs),
    "openai_usage": Format("OpenAI: usage of completions", openai.read_usage),
    "anthropic_cost": Format("Anthropic: cost", anthropic.read_cost),
    "anthropic_usage": Format("Anthropic: usage of messages", anthropic.read_usage),
    "openrouter_activity": Format("OpenRouter: activity", openrouter.read_activity),
}
# Answers about single calls: no person brings these, and they are no sums.
OF_CALLS: Mapping[str, Format] = {
    "openrouter_generation": Format("OpenRouter: single calls", openrouter.read_generations),
}
_ALL = {**FORMATS, **OF_CALLS}


def read(content: bytes, *, format_name: str, columns: Mapping[str, str] = {}) -> list[Line]:  # noqa: B006 - read only
    """The lines of a report, at least one. `columns`: of a CSV file, the heading of each field.

    Errors: UnreadableError.
    """
    lines = read_lines(content, format_name=format_name, columns=columns)
    if not lines:
        raise UnreadableError("The file has no lines.")
    return lines


def read_lines(content: bytes, *, format_name: str, columns: Mapping[str, str] = {}) -> list[Line]:  # noqa: B006 - read only
    """As `read`, perhaps none: of days on which nothing was used. Errors: UnreadableError."""
    if format_name not in _ALL:
        raise UnreadableError(f"There is no format {format_name}. Use one of {', '.join(FORMATS)}.")
    if len(content) > BYTES_MAX:
        raise UnreadableError("The file is larger than 50 MB. Import it in parts, day by day.")
    lines = _ALL[format_name].read(content, columns)
    if len(lines) > LINES_MAX:
        raise UnreadableError(f"The file has more than {LINES_MAX:,} lines. Import it in parts.")
    return lines
