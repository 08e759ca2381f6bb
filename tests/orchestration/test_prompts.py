"""The prompt of a sub-agent, and how long it may be."""

import pytest

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
    cut = "\n[… 4,800 characters are left out …]\n"
    for letter in "xy":
        assert text.count(letter * 100 + cut + letter * 100) == 1
        assert text.count(letter * 100) == 2


@pytest.mark.parametrize("share", [0, 2, 3, 13, 100, 1_000])
def test_of_a_long_result_the_next_part_gets_the_beginning_and_the_end(share):
    """O09."""
    result = "BEGIN" + "数据" * 2_000 + "THE END"
    text = prompt_after(result, share=share)
    given = text.partition("## gather\n")[2].partition("\n\nYour part")[0]
    head, _, end = given.split("\n")
    assert len(head + end) == share * 40 // 100
    assert 0 <= len(head) - len(end) <= 1
    assert result.startswith(head)
    assert result.endswith(end)


def test_a_prompt_is_bounded_whatever_the_budget():
    text = prompt_after(*["z" * 1_000_000] * 5, share=10**12)
    assert len(text) < RESULTS_CHARACTERS_MAX + 1_000
