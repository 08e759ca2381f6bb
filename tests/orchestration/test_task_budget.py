"""What a task lends: shares first, then what was returned, and the reserve for retries."""

from orchestration.models import SubTask
from orchestration.task_budget import TaskBudget


def purse(*, free: int, promised: int, **changes) -> TaskBudget:
    """A task with so much free, of which so much is promised; nothing lent, nothing returned."""
    usual = {"returned": 0, "reserve": 0, "lent": 0, "payable": 1, "spent": {}}
    return TaskBudget(free=free, promised=promised, **{**usual, **changes})


def part(pk: int = 1, *, share: int = 1_000, tried: int = 0, error_kind: str = "") -> SubTask:
    """A sub-task that could begin."""
    return SubTask(pk=pk, share=share, attempts_made=tried, error_kind=error_kind)


def test_a_first_attempt_gets_its_share():
    held = purse(free=3_000, promised=2_000)
    assert [held.lend(part(1)), held.lend(part(2))] == [1_000, 1_000]
    assert (held.free, held.promised, held.lent) == (1_000, 0, 2_000)


def test_what_was_returned_is_given_by_the_size_of_shares():
    held = purse(free=4_000, promised=3_000, returned=1_000)
    assert held.lend(part(1, share=1_000)) == 1_333
    assert held.lend(part(2, share=2_000)) == 2_667


def test_a_retry_takes_what_its_share_left_and_the_reserve_but_nobody_elses_share():
    held = purse(free=1_600, promised=1_100, reserve=500, spent={1: 900})
    assert held.lend(part(1, tried=1)) == 600
    assert held.lend(part(2)) == 1_000


def test_a_first_attempt_never_takes_the_reserve():
    held = purse(free=1_500, promised=1_000, returned=0, reserve=500)
    assert held.lend(part(1)) == 1_000
    assert held.free == 500


def test_who_used_up_its_share_gets_all_that_nobody_else_needs():
    held = purse(free=5_000, promised=1_000, spent={1: 1_000})
    assert held.lend(part(1, tried=1, error_kind="budget_exhausted")) == 4_000


def test_who_cannot_be_paid_waits_while_somebody_may_return_something():
    held = purse(free=50, promised=0, lent=2_000, spent={1: 1_000})
    one = part(1, tried=1)
    assert (held.lend(one), held.later, held.broke) == (0, [one], [])


def test_who_cannot_be_paid_and_has_nobody_to_wait_for_never_will_be():
    held = purse(free=50, promised=0, payable=0, spent={1: 1_000})
    one = part(1, tried=1)
    assert (held.lend(one), held.later, held.broke) == (0, [], [one])
