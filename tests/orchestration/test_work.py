"""A task goes in with a budget, and its results come out."""

from django.db.models import Sum

from keys.models import UsageSlice
from orchestration.models import Attempt, SubTask
from orchestration.prompts import prompt
from orchestration.queries.results import results, results_needed_by
from orchestration.task_texts import texts_of
from tests.orchestration.work import (
    assert_finalized,
    kinds,
    result_of,
    run_until_done,
    say,
    statuses,
    submit,
)


def test_a_task_of_three_parts_is_done_one_after_the_other(office):
    task = run_until_done(
        submit(
            "gather",
            {"description": "analyze", "depends_on": ["1"]},
            {"description": "write", "depends_on": ["2"]},
        )
    )
    assert (task.status, statuses(task)) == ("completed", ["succeeded"] * 3)
    found = results(task)
    assert (found.successful, found.failed, found.success_rate) == (3, 0, 100.0)
    assert found.tokens == sum(row["input"] + row["output"] for row in office.log())
    used = UsageSlice.objects.filter(label=f"task:{task.pk}")
    assert used.aggregate(tokens=Sum("tokens"))["tokens"] == found.tokens
    assert_finalized(task)


def test_a_part_is_told_the_results_it_builds_on(office):
    task = run_until_done(submit("gather", {"description": "analyze", "depends_on": ["1"]}))
    first, second = SubTask.objects.filter(task=task)
    needed = results_needed_by(second, texts=texts_of(task))
    told = prompt(second, description="analyze", task_description="", results=needed)
    result = result_of(first)
    assert result
    assert result in told
    before, after = office.log()
    assert after["input"] - before["input"] > len(result.split())


def test_a_failure_is_tried_again_and_then_fails(office):
    task = run_until_done(submit(say("gather", status=500), max_retries=1))
    assert (task.status, kinds(task)) == ("failed", ["provider_error"] * 2)
    assert_finalized(task)


def test_what_depends_on_a_failure_fails_and_the_rest_is_kept(office):
    task = run_until_done(
        submit(
            say("gather", status=400),
            {"description": "analyze", "depends_on": ["1"]},
            "write",
        )
    )
    assert (task.status, statuses(task)) == ("partial", ["failed", "failed", "succeeded"])
    assert results(task).success_rate == 33.3
    assert_finalized(task)


def test_one_of_three_times_out(office):
    task = run_until_done(
        submit(
            "gather",
            say("analyze", latency_ms=6_000),
            "write",
            running_timeout=2,
            retry_on_failure=False,
        )
    )
    assert (task.status, statuses(task)) == ("partial", ["succeeded", "failed", "succeeded"])
    assert kinds(task).count("timeout") == 1
    assert results(task).success_rate == 66.7
    assert_finalized(task)
    assert Attempt.objects.filter(task=task).count() == 3
