"""The prompts of sub-agents."""

from collections.abc import Sequence
from typing import NamedTuple

from orchestration import planning
from orchestration.models import SubTask

SUB_TASKS_ASKED_MAX = 50
# A token is rarely less than a character, so characters are counted against the token budget.
_PERCENT_FOR_RESULTS = 40
_PERCENT_FOR_TASK = 10
# More than any model reads at once; budgets may be larger.
RESULTS_CHARACTERS_MAX = 2_000_000


class DependencyResult(NamedTuple):
    """The result of a sub-task that this one depends on."""

    name: str
    result: str


def prompt(
    sub_task: SubTask,
    *,
    description: str,
    task_description: str,
    results: Sequence[DependencyResult],
) -> str:
    """The prompt of a sub-task: its description, the whole task, and the results it depends on.

    Long texts are cut so that they fit into its share of the budget.
    """
    task = sub_task.task
    if sub_task.position == 0:
        return planning.model_request(task_description, sub_tasks_max=SUB_TASKS_ASKED_MAX)
    lines = [f"You work on one part of the task “{task.name}”."]
    if task_description not in ("", description):
        whole = _cut(task_description, sub_task.share * _PERCENT_FOR_TASK // 100)
        lines += ["The whole task, of which others do the other parts:", whole]
    if results:
        lines += [
            "What was done before, on which your part builds:",
            *_result_excerpts(sub_task, results),
        ]
    return "\n\n".join([*lines, f"Your part: {description}"])


def _result_excerpts(sub_task: SubTask, results: Sequence[DependencyResult]) -> list[str]:
    most = min(sub_task.share * _PERCENT_FOR_RESULTS // 100, RESULTS_CHARACTERS_MAX)
    each = most // len(results)
    return [f"## {before.name}\n{_cut_middle(before.result, each)}" for before in results]


def _cut_middle(text: str, most: int) -> str:
    """The beginning and the end: what a part found out is mostly at the end of its result."""
    if len(text) <= most:
        return text
    tail = most // 2
    left_out = f"[… {len(text) - most:,} characters are left out …]"
    return "\n".join([text[: most - tail], left_out, text[len(text) - tail :]])


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[… {len(text) - most:,} characters more]"
