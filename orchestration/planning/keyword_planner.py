"""The planner that needs no model: it divides a description at lists and at keywords."""

from collections.abc import Sequence

from django.conf import settings

from orchestration.planning.base import Part, estimate_of, short_name
from orchestration.planning.dependency_graph import check_plan
from orchestration.planning.lists import items
from orchestration.planning.prose import beginnings, run_on
from orchestration.refusals import WrongPlan

# Prose is divided into at most so many parts; the rest belongs to the last one, because a long text
# is a detailed description and not thousands of sub-tasks.
PROSE_PARTS_MAX = 50


def keyword_plan(description: str, *, parallel: bool = False) -> list[Part]:
    """The parts of `description`, each dependent on the one before, or on none if `parallel`.

    Each item of a numbered or bulleted list is a part. In prose, a part begins at each keyword
    (`vocabulary`) that begins a clause. Otherwise the whole text is one part. The parts keep the
    words of the description without the separators. Refusal: WrongPlan if the description is empty
    or its list has more items than a plan may have.
    """
    if not description or description.isspace():
        raise WrongPlan("The description is empty. Describe the work, or send sub_tasks.", count=0)
    most = settings.SUB_TASKS_MAX if parallel else _chain_max()
    found = items(description, most=most)
    if len(found) > most:
        raise _too_long(most, parallel)
    if not found:
        found = [(text, text) for text in _prose(description, most=min(most, PROSE_PARTS_MAX))]
    return check_plan([_part(number, *each, parallel) for number, each in enumerate(found, 1)])


def _chain_max() -> int:
    return min(settings.SUB_TASKS_MAX, settings.SUB_TASK_DEPTH_MAX)


def _too_long(most: int, parallel: bool) -> WrongPlan:
    way = "" if parallel else " in sequence. Send parallel: true to run them side by side"
    return WrongPlan(
        f"The list has more items than the {most:,} that can run{way}.", count_max=most
    )


def _prose(text: str, *, most: int) -> Sequence[str]:
    """The texts of the parts of prose, without separators; the whole text if it is one part."""
    found = beginnings(text, most=most)
    if len(found) < 2:
        found = run_on(text)[:most] or found
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
        name=short_name(own_text),
        description=description,
        estimated_tokens=estimate_of(description),
        depends_on=() if parallel or number == 1 else (str(number - 1),),
    )
