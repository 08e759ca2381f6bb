"""Whether parts can be a plan, and in which order they can be done; without recursion."""

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

from django.conf import settings

from orchestration.planning.base import PLANNING_KEY, WEIGHTS, Part
from orchestration.refusals import WrongPlan

_SHOWN_MAX = 10
_FACTS_MAX = 100


def check_plan(parts: Sequence[Part]) -> list[Part]:
    """The same parts in an order in which they can be done, as near as can be to the one given.

    Refusal: WrongPlan if there are none or too many, a key is doubled, a part says something
    impossible or waits for an unknown one, for too many, for itself, or in a circle.
    """
    _check_number(len(parts))
    by_key = {part.key: part for part in parts}
    if len(by_key) < len(parts):
        raise _duplicate_id(parts)
    for part in parts:
        _check_part(part, by_key)
    dependents = _dependents(parts)
    _check_fan_out(dependents)
    ordered = _in_order(parts, dependents)
    if len(ordered) < len(parts):
        raise _circle(by_key, done={part.key for part in ordered})
    _check_depth(ordered)
    return ordered


def _check_number(count: int) -> None:
    if not count:
        raise WrongPlan("The plan has no sub-tasks. Add at least one.", count=0)
    most = settings.SUB_TASKS_MAX
    if count > most:
        raise WrongPlan(
            f"The plan has {count:,} sub-tasks; a task can have at most {most:,}.",
            count=count,
            count_max=most,
        )


def _duplicate_id(parts: Sequence[Part]) -> WrongPlan:
    key, times = Counter(part.key for part in parts).most_common(1)[0]
    return WrongPlan(
        f"{times:,} sub-tasks have the id “{key}”.", sub_task=key, count=times, count_max=1
    )


def _check_part(part: Part, by_key: dict[str, Part]) -> None:
    if why := _wrong_value(part):
        raise WrongPlan(f"Sub-task “{part.key}” {why}.", sub_task=part.key)
    most = settings.SUB_TASK_FAN_OUT_MAX
    if len(part.depends_on) > most:
        raise WrongPlan(
            f"Sub-task “{part.key}” depends on {len(part.depends_on):,} others; at most "
            f"{most:,} are allowed.",
            sub_task=part.key,
            count=len(part.depends_on),
            count_max=most,
        )
    for needed in part.depends_on:
        if needed == part.key:
            raise WrongPlan(f"Sub-task “{part.key}” depends on itself.", sub_task=part.key)
        if needed not in by_key:
            raise WrongPlan(
                f"Sub-task “{part.key}” depends on “{needed}”, which is not in the plan.",
                sub_task=part.key,
                unknown=needed,
            )


def _wrong_value(part: Part) -> str:
    if not part.key or part.key == PLANNING_KEY:
        return "needs another id"
    if not part.description or part.description.isspace():
        return "has no description"
    if part.priority not in WEIGHTS:
        return f"has the priority “{part.priority}”; there are {', '.join(WEIGHTS)}"
    if part.estimated_tokens < 1:
        return f"has an estimate of {part.estimated_tokens:,} tokens; the least is 1"
    return ""


def _dependents(parts: Iterable[Part]) -> dict[str, list[str]]:
    dependents: dict[str, list[str]] = {part.key: [] for part in parts}
    for part in parts:
        for needed in part.depends_on:
            dependents[needed].append(part.key)
    return dependents


def _check_fan_out(dependents: dict[str, list[str]]) -> None:
    most = settings.SUB_TASK_FAN_OUT_MAX
    for key, waiting in dependents.items():
        if len(waiting) > most:
            raise WrongPlan(
                f"{len(waiting):,} sub-tasks depend on “{key}”; at most {most:,} can.",
                sub_task=key,
                count=len(waiting),
                count_max=most,
            )


def _in_order(parts: Sequence[Part], dependents: dict[str, list[str]]) -> list[Part]:
    """Those that can be done (Kahn), always the earliest given of those that are ready next."""
    position = {part.key: index for index, part in enumerate(parts)}
    missing = [len(part.depends_on) for part in parts]
    # In ascending order, so it is a heap.
    ready = [index for index, count in enumerate(missing) if not count]
    ordered = []
    while ready:
        part = parts[heappop(ready)]
        ordered.append(part)
        for index in map(position.__getitem__, dependents[part.key]):
            missing[index] -= 1
            if not missing[index]:
                heappush(ready, index)
    return ordered


def _circle(by_key: dict[str, Part], *, done: set[str]) -> WrongPlan:
    """Whatever is not done waits for another such: whoever follows that comes round."""
    key = next(key for key in by_key if key not in done)
    steps: dict[str, int] = {}
    while key not in steps:
        steps[key] = len(steps)
        key = next(needed for needed in by_key[key].depends_on if needed not in done)
    circle = [*list(steps)[steps[key] :], key]
    return WrongPlan(
        f"Sub-tasks depend on each other in a cycle: {_chain(circle)} (each depends on the next).",
        cycle=circle[:_FACTS_MAX],
    )


def _check_depth(ordered: list[Part]) -> None:
    """Count the longest chain that ends in each part; those before it are already counted."""
    depth: dict[str, int] = {}
    for part in ordered:
        depth[part.key] = 1 + max(map(depth.__getitem__, part.depends_on), default=0)
    deepest = max(depth, key=depth.__getitem__)
    most = settings.SUB_TASK_DEPTH_MAX
    if depth[deepest] > most:
        raise WrongPlan(
            f"A chain of {depth[deepest]:,} sub-tasks, each dependent on the one before, ends in "
            f"“{deepest}”; a chain can have at most {most:,}.",
            sub_task=deepest,
            count=depth[deepest],
            count_max=most,
        )


def _chain(keys: list[str]) -> str:
    shown = keys if len(keys) <= _SHOWN_MAX else [*keys[: _SHOWN_MAX - 1], "…", keys[-1]]
    return " → ".join(shown)
