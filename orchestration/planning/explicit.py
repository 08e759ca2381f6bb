"""The plan of a caller that sends the sub-tasks itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.planning.base import Part, estimate_of, short_name
from orchestration.planning.dependency_graph import check_plan

_AS_GIVEN = ("priority", "runner", "model", "provider", "needs_approval", "if_dependency_fails")


def explicit_plan(sub_tasks: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The parts for `sub_tasks`, sorted so that each follows its dependencies.

    Each has a `description`, and may have `id` (1, 2, … by default), `name`, `priority`,
    `depends_on`, `estimated_tokens`, `runner`, `model`, `provider`, `needs_approval`,
    `if_dependency_fails`; the caller has checked their types. Refusal: WrongPlan.
    """
    return check_plan([_part(given, number) for number, given in enumerate(sub_tasks, 1)])


def _part(given: Mapping[str, Any], number: int) -> Part:
    description = (given.get("description") or "").strip()
    key, estimated = given.get("id"), given.get("estimated_tokens")
    return Part(
        key=str(number if key is None else key),
        name=(given.get("name") or "").strip() or short_name(description),
        description=description,
        estimated_tokens=estimate_of(description) if estimated is None else estimated,
        depends_on=tuple(dict.fromkeys(map(str, given.get("depends_on") or ()))),
        **{name: given[name] for name in _AS_GIVEN if given.get(name)},
    )
