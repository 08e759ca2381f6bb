"""What a sub-agent is told, and how much of it."""

from orchestration.models import SubTask, Task
from orchestration.prompts import RESULTS_CHARACTERS_MAX, Before, prompt

TASK = Task(name="study", description="Gather everything, then write.")


def told(*results: str, share: int = 10_000, description: str = "write") -> str:
    """The prompt of a sub-task that builds on these results."""
    sub_task = SubTask(task=TASK, position=2, description=description, share=share)
    return prompt(sub_task, results=[Before("gather", result) for result in results])


def test_it_is_told_the_task_its_part_and_what_was_done_before():
    words = told("the facts")
    assert (
        words.index("Gather everything")
        < words.index("the facts")
        < words.index("Your part: write")
    )


def test_a_part_that_is_the_whole_task_is_told_it_once():
    assert told(description=TASK.description).count(TASK.description) == 1


def test_results_are_cut_to_what_the_budget_bears_and_it_says_so():
    words = told("x" * 5_000, "y" * 5_000, share=1_000)
    assert words.count("x" * 200) == words.count("y" * 200) == 1
    assert words.count("[… 4,800 characters more]") == 2


def test_no_budget_is_so_large_that_a_prompt_has_no_end():
    words = told(*["z" * 1_000_000] * 5, share=10**12)
    assert len(words) < RESULTS_CHARACTERS_MAX + 1_000
