"""The prompt of a sub-agent, and how long it may be."""

from orchestration.models import SubTask, Task
from orchestration.prompts import RESULTS_CHARACTERS_MAX, DependencyResult, prompt

TASK = Task(name="study")
DESCRIPTION = "Gather everything, then write."


def prompt_after(*results: str, share: int = 10_000, description: str = "write") -> str:
    """The prompt of a sub-task that builds on these results."""
    return prompt(
        SubTask(task=TASK, position=2, share=share),
        description=description,
        task_description=DESCRIPTION,
        results=[DependencyResult("gather", result) for result in results],
    )


def test_the_prompt_has_the_task_the_earlier_results_and_the_part():
    text = prompt_after("the facts")
    assert (
        text.index("Gather everything") < text.index("the facts") < text.index("Your part: write")
    )


def test_a_description_that_is_the_whole_task_appears_once():
    assert prompt_after(description=DESCRIPTION).count(DESCRIPTION) == 1


def test_long_results_are_cut_to_fit_the_share_and_the_prompt_says_so():
    text = prompt_after("x" * 5_000, "y" * 5_000, share=1_000)
    assert text.count("x" * 200) == text.count("y" * 200) == 1
    assert text.count("[… 4,800 characters more]") == 2


def test_a_prompt_is_bounded_whatever_the_budget():
    text = prompt_after(*["z" * 1_000_000] * 5, share=10**12)
    assert len(text) < RESULTS_CHARACTERS_MAX + 1_000
