"""The planner that needs no model: it divides a description at lists, sections and keywords."""

from collections.abc import Sequence
from typing import NamedTuple

from django.conf import settings

from orchestration.planning.base import Part, estimate_of, short_name
from orchestration.planning.dependency_graph import check_plan
from orchestration.planning.html_text import without_html
from orchestration.planning.imperatives import is_governing, orders
from orchestration.planning.inline_lists import inline_parts
from orchestration.planning.list_parts import list_parts
from orchestration.planning.mail_text import body_of_mail
from orchestration.planning.opaque_text import (
    filled,
    is_about_a_text,
    masked,
    masked_words,
    normal,
    unquoted,
    without_comments,
)
from orchestration.planning.prose import beginnings, run_on
from orchestration.planning.sequence import sequence_parts
from orchestration.planning.task_data import data_parts
from orchestration.planning.unmarked_lines import line_parts
from orchestration.refusals import WrongPlan

# Prose is divided into at most so many parts; the rest belongs to the last one, because a long text
# is a detailed description and not thousands of sub-tasks.
PROSE_PARTS_MAX = 50
# Numbers within lines and keywords are looked for in so many characters of a text without lists,
# and words of order and requests in so many, of which there are at most PROSE_PARTS_MAX.
_READ_MAX = 200_000
_STEPS_READ_MAX = 40_000
NOT_DIVIDED = (
    "The keyword planner found no list and no steps in the description, so the whole text is one "
    "sub-task. If it has several, send them as a list or as sub_tasks."
)
_ALL_DONE = (
    "All items of the list are ticked. The keyword planner found nothing that is open, so the "
    "whole text is one sub-task."
)
_UNCLOSED = "A block of code is not closed; the text after it was read as code."


class KeywordPlan(NamedTuple):
    """The parts, and what a person must know about them; `note` is empty if there is nothing."""

    parts: list[Part]
    note: str


class _Reading(NamedTuple):
    """Pairs of own text and description, and the note."""

    found: Sequence[tuple[str, str]]
    note: str = ""


def keyword_plan(description: str, *, parallel: bool = False) -> list[Part]:
    """The parts of `description`, as `noted_keyword_plan` finds them."""
    return noted_keyword_plan(description, parallel=parallel).parts


def noted_keyword_plan(description: str, *, parallel: bool = False) -> KeywordPlan:
    """The parts of `description`, each dependent on the one before, or on none if `parallel`.

    Each open item of a list, or each section, is a part (`list_parts`). In prose, a part begins at
    each keyword (`vocabulary`) that begins a clause. Otherwise the whole text is one part, and the
    note says so. The parts keep the words of the description without separators, ticked items,
    comments, and what mail programs add. Refusal: WrongPlan if the description is empty or has more
    items than a plan may have.
    """
    if not description or description.isspace():
        raise WrongPlan("The description is empty. Describe the work, or send sub_tasks.", count=0)
    most = settings.SUB_TASKS_MAX if parallel else _chain_max()
    found, note = _read(description, most)
    if len(found) > most:
        raise _too_long(most, parallel)
    parts = [_part(number, *each, parallel) for number, each in enumerate(found, 1)]
    return KeywordPlan(check_plan(parts), note)


def _chain_max() -> int:
    return min(settings.SUB_TASKS_MAX, settings.SUB_TASK_DEPTH_MAX)


def _too_long(most: int, parallel: bool) -> WrongPlan:
    way = "" if parallel else " in sequence. Send parallel: true to run them side by side"
    return WrongPlan(
        f"The list has more items than the {most:,} that can run{way}.", count_max=most
    )


def _read(description: str, most: int) -> _Reading:
    text = normal(description)
    body = unquoted(body_of_mail(without_html(without_comments(text)))).strip("\n")
    if not body.strip():
        return _whole(text, NOT_DIVIDED)
    copy, unclosed = masked(body)
    lists = data_parts(body) or list_parts(body, copy)
    notes = [_UNCLOSED] if unclosed else []
    if lists.done and not lists.parts:
        return _whole(body, _ALL_DONE)
    if lists.done:
        notes.append(_left_out(lists.done))
    found = _usable(lists.parts) or _without_lists(body, filled(copy, lists.context), most)
    if len(found) == 1 and not lists.done:
        notes.append(NOT_DIVIDED)
    return _Reading(found, " ".join(notes))


def _without_lists(text: str, copy: str, most: int) -> list[tuple[str, str]]:
    copy = masked_words(copy[:_READ_MAX]) + copy[_READ_MAX:]
    found = line_parts(text, copy) or inline_parts(text, copy[:_READ_MAX], most=most)
    if found:
        return found
    if is_about_a_text(text):
        return [(text.strip(), text.strip())]
    most = min(most, PROSE_PARTS_MAX)
    by_keyword = _prose(text, copy, most=most)
    by_order = orders(text, copy, most=most)
    is_clear = len(by_keyword) < 2 or not any(map(is_governing, by_order[:-1]))
    if is_clear and len(by_order) > len(by_keyword):
        by_keyword = by_order
    by_sequence = sequence_parts(text, copy[:_STEPS_READ_MAX], most=most)
    texts = by_sequence if len(by_sequence) > len(by_keyword) else by_keyword
    return [(each, each) for each in texts]


def _whole(text: str, note: str) -> _Reading:
    whole = text.strip() or text
    return _Reading([(whole, whole)], note)


def _usable(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The parts, or none: markers without text between them, such as "1. 2. ", are no list."""
    return parts if all(description.strip() for _, description in parts) else []


def _left_out(count: int) -> str:
    if count == 1:
        return "One item that is done was left out."
    return f"{count:,} items that are done were left out."


def _prose(text: str, copy: str, *, most: int) -> Sequence[str]:
    """The texts of the parts of prose, without separators; the whole text if it is one part.

    Positions are found in `copy`, where code and quotes are masked.
    """
    found = beginnings(copy[:_READ_MAX], most=most)
    if len(found) < 2:
        found = run_on(copy)[:most] or found
    if len(found) < 2:
        return [text.strip()]
    # Text before the first keyword belongs to the first part.
    first = 0 if text[: found[0].ends_before].strip() else found[0].begins_at
    begins = [first, *(each.begins_at for each in found[1:])]
    ends = [*(each.ends_before for each in found[1:]), len(text)]
    parts = [text[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]
    return [*parts[:-1], parts[-1].rstrip(" \t\r\n.,;")]


def _part(number: int, own_text: str, description: str, parallel: bool) -> Part:
    return Part(
        key=str(number),
        name=short_name(own_text or description),
        description=description,
        estimated_tokens=estimate_of(description),
        depends_on=() if parallel or number == 1 else (str(number - 1),),
    )
