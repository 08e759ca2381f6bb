"""Check that parts form a plan, and sort them by their dependencies, without recursion."""

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

from django.conf import settings

from orchestration.planning.base import PLANNING_KEY, WEIGHTS, Part
from orchestration.refusals import WrongPlan

_SHOWN_MAX = 10
_FACTS_MAX = 100


def check_plan(parts: Sequence[Part]) -> list[Part]:
    """The parts sorted so that each follows its dependencies, close to the given order.

    Refusal: WrongPlan if there are no parts or too many, if a key is repeated, if a part has a
    wrong value, or if it depends on an unknown part, on too many, on itself, or in a cycle.
    """
    _check_number(len(parts))
    by_key = {part.key: part for part in parts}
    if len(by_key) < len(parts):
        raise _duplicate_id(parts)
    most = settings.SUB_TASK_FAN_OUT_MAX
    for part in parts:
        _check_part(part, by_key, most)
    dependents = _dependents(parts)
    _check_fan_out(dependents)
    ordered = _in_order(parts, dependents)
    if len(ordered) < len(parts):
        raise _cycle(by_key, done={part.key for part in ordered})
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


def _check_part(part: Part, by_key: dict[str, Part], most: int) -> None:
    if why := _wrong_value(part):
        raise WrongPlan(f"Sub-task “{part.key}” {why}.", sub_task=part.key)
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
        return f"has the priority “{part.priority}”; it must be one of: {', '.join(WEIGHTS)}"
    if part.estimated_tokens < 1:
        return f"has an estimate of {part.estimated_tokens:,} tokens; it must be at least 1"
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
    """The parts that are not in a cycle (Kahn), always the earliest of those that are ready."""
    position = {part.key: index for index, part in enumerate(parts)}
    missing = [len(part.depends_on) for part in parts]
    # It is in ascending order, so it is a heap.
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


def _cycle(by_key: dict[str, Part], *, done: set[str]) -> WrongPlan:
    """Each part that is left depends on another such part, so following them ends in a cycle."""
    key = next(key for key in by_key if key not in done)
    steps: dict[str, int] = {}
    while key not in steps:
        steps[key] = len(steps)
        key = next(needed for needed in by_key[key].depends_on if needed not in done)
    cycle = [*list(steps)[steps[key] :], key]
    return WrongPlan(
        f"Sub-tasks depend on each other in a cycle: {_chain(cycle)} (each depends on the next).",
        cycle=cycle[:_FACTS_MAX],
    )


def _check_depth(ordered: list[Part]) -> None:
    """Check the longest chain of dependencies; parts come after those that they depend on."""
    depth: dict[str, int] = {}
    for part in ordered:
        needed = part.depends_on
        depth[part.key] = 1 + max(map(depth.__getitem__, needed)) if needed else 1
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
