"""The request to carry out a task: its fields and their limits."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from django.conf import settings

from keys.refusals import WrongValue
from orchestration.storable_text import is_storable

TOKENS_MAX = 10**12
SECONDS_MAX = 30 * 86_400
PLANNERS = ("keyword", "model")
PRIORITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """A task as an agent or a person requests it.

    Either a `description`, which a planner (`keyword` or `model`) divides into sub-tasks, or
    `sub_tasks` (see `planning.explicit_plan`). `total_budget`: tokens, of which `reserve_percent`
    are kept for retries. `parallel`: whether the sub-tasks that a planner finds run at the same
    time. `soft_limit_percent`: the task pauses when it has used this much of its budget.
    `timeout`, `running_timeout` (one attempt), `waiting_timeout` (one sub-task) and
    `approval_timeout` (one approval): seconds. `priority`: among the tasks of the agent.
    """

    name: str
    description: str = ""
    sub_tasks: tuple[dict[str, Any], ...] = ()
    total_budget: int
    reserve_percent: int = 0
    soft_limit_percent: int | None = None
    planner: str = "keyword"
    parallel: bool = False
    max_concurrent: int = 3
    retry_on_failure: bool = True
    max_retries: int = 2
    timeout: int = 3_600
    running_timeout: int = 900
    waiting_timeout: int = 86_400
    approval_timeout: int = 86_400
    priority: str = "medium"
    runner: str = "model"
    model: str = ""
    provider: str = ""
    cost_centre: str = ""

    def check(self) -> None:
        """Check every field. Refusal: WrongValue, naming the field."""
        self._check_text()
        _within("total_budget", self.total_budget, 1, TOKENS_MAX)
        _within("reserve_percent", self.reserve_percent, 0, 90)
        _within("max_concurrent", self.max_concurrent, 1, 100_000)
        _within("max_retries", self.max_retries, 0, 100)
        for name in ("timeout", "running_timeout", "waiting_timeout", "approval_timeout"):
            _within(name, getattr(self, name), 1, SECONDS_MAX)
        if self.soft_limit_percent is not None:
            _within("soft_limit_percent", self.soft_limit_percent, 1, 99)
        if self.planner not in PLANNERS:
            raise WrongValue(f"planner must be one of: {', '.join(PLANNERS)}.", field="planner")
        check_priority(self.priority)

    def _check_text(self) -> None:
        for name, value in self.as_json().items():
            if not is_storable(value):
                raise WrongValue(f"{name} must not contain NUL or unpaired surrogates.", field=name)
        if not self.name.strip() or len(self.name) > 200:
            raise WrongValue("name must have 1 to 200 characters.", field="name")
        if bool(self.description.strip()) == bool(self.sub_tasks):
            raise WrongValue("Send either description or sub_tasks, not both.", field="description")
        if len(self.description.encode("utf-8", "surrogatepass")) > settings.TASK_TEXT_BYTES_MAX:
            raise WrongValue(
                f"description must not exceed {settings.TASK_TEXT_BYTES_MAX:,} bytes.",
                field="description",
            )

    def as_json(self) -> dict[str, Any]:
        """The fields that differ from their defaults; a repeated request is compared with them."""
        usual = {field.name: field.default for field in fields(self)}
        changed = {n: value for n, value in asdict(self).items() if value != usual[n]}
        return changed | ({"sub_tasks": list(self.sub_tasks)} if self.sub_tasks else {})


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise WrongValue(f"{name} must be from {least:,} to {most:,}.", field=name)


def check_priority(priority: str) -> None:
    """Refuse what is no priority of a task. Refusals: WrongValue."""
    if priority not in PRIORITIES:
        raise WrongValue(f"priority must be one of: {', '.join(PRIORITIES)}.", field="priority")
