"""The planner that needs no model: it takes a description apart at its lists and its keywords."""

from collections.abc import Sequence

from django.conf import settings

from orchestration.planning.base import Part, estimate_of, short_name
from orchestration.planning.dependency_graph import check_plan
from orchestration.planning.lists import items
from orchestration.planning.prose import beginnings, run_on
from orchestration.refusals import WrongPlan

# Running text is cut into so many at most, the rest stays with the last: a long text is a
# description in detail and not thousands of orders.
PROSE_PARTS_MAX = 50


def keyword_plan(description: str, *, parallel: bool = False) -> list[Part]:
    """The parts of `description`, each after the one before or all at once if `parallel`.

    A numbered or bulleted list is its items; running text begins a part at each keyword
    (`vocabulary`) that begins a clause; else the whole is one part. The words of the parts are
    those of the description, but for separators. Refusal: WrongPlan, if it is empty or its list
    is longer than a plan may be.
    """
    if not description or description.isspace():
        raise WrongPlan("The description is empty. Describe the work, or send sub_tasks.", count=0)
    most = settings.SUB_TASKS_MAX if parallel else _chain_max()
    told = items(description, most=most)
    if len(told) > most:
        raise _too_long(most, parallel)
    if not told:
        told = [(text, text) for text in _prose(description, most=min(most, PROSE_PARTS_MAX))]
    return check_plan([_part(number, *each, parallel) for number, each in enumerate(told, 1)])


def _chain_max() -> int:
    return min(settings.SUB_TASKS_MAX, settings.SUB_TASK_DEPTH_MAX)


def _too_long(most: int, parallel: bool) -> WrongPlan:
    way = "" if parallel else " in sequence. Send parallel: true to run them side by side"
    return WrongPlan(
        f"The list has more items than the {most:,} that can run{way}.", count_max=most
    )


def _prose(text: str, *, most: int) -> Sequence[str]:
    """The words of each part, without what separates them."""
    found = beginnings(text, most=most)
    if len(found) < 2:
        found = run_on(text)[:most] or found
    if len(found) < 2:
        return [text.strip()]
    # What comes before the first keyword introduces it.
    first = 0 if text[: found[0].ends_before].strip() else found[0].begins_at
    begins = [first, *(each.begins_at for each in found[1:])]
    ends = [*(each.ends_before for each in found[1:]), len(text)]
    parts = [text[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]
    return [*parts[:-1], parts[-1].rstrip(" \t\r\n.,;")]


def _part(number: int, own: str, told: str, parallel: bool) -> Part:
    return Part(
        key=str(number),
        name=short_name(own),
        description=told,
        estimated_tokens=estimate_of(told),
        depends_on=() if parallel or number == 1 else (str(number - 1),),
    )
