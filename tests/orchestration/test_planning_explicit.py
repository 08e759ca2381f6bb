"""Sub-tasks as given become a plan in an order in which they can be done, or are refused."""

import random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.planning import ESTIMATE_MIN, PLANNING_KEY, Part, check_plan, explicit_plan
from orchestration.refusals import WrongPlan


def sub_task(key=None, *needs, **changes):
    return {"id": key, "description": f"do {key}", "depends_on": list(needs)} | changes


def keys(parts):
    return [part.key for part in parts]


def refusal_of(*sub_tasks):
    with pytest.raises(WrongPlan) as caught:
        explicit_plan(sub_tasks)
    return caught.value


def test_what_is_given_is_kept():
    (part,) = explicit_plan([
        {"id": "a", "name": "Name", "description": " Do it ", "priority": "critical",
         "estimated_tokens": 7, "runner": "command:x", "model": "m", "provider": "p",
         "needs_approval": True},
    ])  # fmt: skip
    assert part == Part(
        key="a", name="Name", description="Do it", priority="critical", estimated_tokens=7,
        runner="command:x", model="m", provider="p", needs_approval=True,
    )  # fmt: skip


def test_what_is_not_given_has_a_default():
    first, second = explicit_plan([{"description": "Do\nit"}, {"description": "word " * 3000}])
    assert (first.key, second.key) == ("1", "2")
    assert (first.name, first.priority, first.depends_on) == ("Do it", "medium", ())
    assert (first.estimated_tokens, second.estimated_tokens) == (ESTIMATE_MIN, 4000)


def test_the_order_given_is_kept_where_it_can_be():
    given = [sub_task("d"), sub_task("a", "c"), sub_task("b"), sub_task("c"), sub_task("e")]
    assert keys(explicit_plan(given)) == ["d", "b", "c", "a", "e"]


def test_a_dependency_named_twice_is_one():
    parts = explicit_plan([sub_task("a"), sub_task("b", "a", "a")])
    assert parts[1].depends_on == ("a",)


def test_numbers_may_be_ids():
    assert keys(explicit_plan([sub_task(0), sub_task(1, 0)])) == ["0", "1"]


@pytest.mark.parametrize(
    ("sub_tasks", "says", "facts"),
    [
        ([], "no sub-tasks", {"count": 0}),
        ([sub_task("a"), sub_task("a")], "2 sub-tasks have the id “a”", {"sub_task": "a"}),
        ([sub_task("a", "x")], "“a” depends on “x”, which is not", {"unknown": "x"}),
        ([sub_task("a", "a")], "“a” depends on itself", {"sub_task": "a"}),
        ([sub_task("a", description=" ")], "“a” has no description", {"sub_task": "a"}),
        ([sub_task("a", priority="urgent")], "the priority “urgent”; it must be one of: low", {}),
        ([sub_task("a", estimated_tokens=0)], "an estimate of 0 tokens", {"sub_task": "a"}),
        ([sub_task(PLANNING_KEY)], "needs another id", {"sub_task": PLANNING_KEY}),
        ([sub_task("x"), sub_task("a", "x", "b"), sub_task("b", "c"), sub_task("c", "a")],
         "in a cycle: a → b → c → a", {"cycle": ["a", "b", "c", "a"]}),
        ([sub_task("end", "a"), sub_task("a", "b"), sub_task("b", "a")],
         "in a cycle: a → b → a", {"cycle": ["a", "b", "a"]}),
    ],
)  # fmt: skip
def test_what_cannot_be_a_plan_is_refused_with_the_reason(sub_tasks, says, facts):
    refusal = refusal_of(*sub_tasks)
    assert says in refusal.detail
    assert facts.items() <= refusal.facts().items()


def test_too_many_are_refused(settings):
    settings.SUB_TASKS_MAX = 2
    assert len(explicit_plan([sub_task("a"), sub_task("b")])) == 2
    assert "3 sub-tasks; a task can have at most 2" in refusal_of(*map(sub_task, "abc")).detail


def test_a_chain_that_is_too_long_is_refused(settings):
    settings.SUB_TASK_DEPTH_MAX = 2
    assert len(explicit_plan([sub_task("a"), sub_task("b", "a"), sub_task("c", "a")])) == 3
    refusal = refusal_of(sub_task("a"), sub_task("b", "a"), sub_task("c", "a", "b"))
    assert "A chain of 3 sub-tasks" in refusal.detail and "“c”" in refusal.detail
    assert refusal.facts() == {"sub_task": "c", "count": 3, "count_max": 2}


def test_too_many_that_wait_for_one_are_refused(settings):
    settings.SUB_TASK_FAN_OUT_MAX = 2
    waiting = [sub_task(key, "a") for key in "bcd"]
    assert len(explicit_plan([sub_task("a"), *waiting[:2]])) == 3
    assert "3 sub-tasks depend on “a”; at most 2" in refusal_of(sub_task("a"), *waiting).detail


def test_one_that_waits_for_too_many_is_refused(settings):
    settings.SUB_TASK_FAN_OUT_MAX = 2
    refusal = refusal_of(*map(sub_task, "abc"), sub_task("d", "a", "b", "c"))
    assert "“d” depends on 3 others; at most 2" in refusal.detail


def test_a_large_circle_is_named_in_short():
    refusal = refusal_of(*(sub_task(n, (n + 1) % 5000) for n in range(5000)))
    assert "0 → 1 → 2 → 3 → 4 → 5 → 6 → 7 → 8 → … → 0" in refusal.detail
    assert len(refusal.cycle) == 100


@st.composite
def graphs(draw):
    """Parts in any order without a circle, each after some of those before it in another order."""
    count = draw(st.integers(1, 30))
    edges = draw(
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=60)
    )
    needs = {n: {min(e) for e in edges if max(e) == n and min(e) != n} for n in range(count)}
    shown = draw(st.permutations(range(count)))
    return [sub_task(str(n), *map(str, sorted(needs[n]))) for n in shown]


@given(graphs())
def test_every_part_is_there_once_and_after_what_it_needs(sub_tasks):
    done = set()
    for part in explicit_plan(sub_tasks):
        assert part.key not in done
        assert set(part.depends_on) <= done
        done.add(part.key)
    assert done == {one["id"] for one in sub_tasks}


@given(graphs())
def test_an_order_that_can_be_done_stays_as_it_is(sub_tasks):
    ordered = explicit_plan(sub_tasks)
    assert check_plan(ordered) == ordered


@given(graphs(), st.data())
def test_every_circle_is_found_and_named(sub_tasks, data):
    order = explicit_plan(sub_tasks)
    # Follow dependencies back from a part and have the last wait for the first.
    last = data.draw(st.sampled_from([part for part in order if part.depends_on] or [None]))
    if last is None:
        return
    needs = {one["id"]: one["depends_on"] for one in sub_tasks}
    first = data.draw(st.sampled_from(needs[last.key]))
    needs[first].append(last.key)
    cycle = refusal_of(*sub_tasks).cycle
    assert cycle[0] == cycle[-1] and len(set(cycle)) == len(cycle) - 1 >= 2
    assert all(after in needs[one] for one, after in zip(cycle, cycle[1:], strict=False))


def test_ten_thousand_are_quick():
    shuffled = [sub_task(n, *(n - step for step in (1000, 700) if n > step)) for n in range(10_000)]
    random.Random(1).shuffle(shuffled)
    begun = process_time()
    assert len(explicit_plan(shuffled)) == 10_000
    assert process_time() - begun < 1  # 0.1 was measured
