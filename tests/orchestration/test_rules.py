"""What becomes of parts when one fails, is skipped, changed or refused; and who may approve."""

from datetime import timedelta

import pytest

from alerts import services as alerts
from alerts.models import Alert
from keys.refusals import ModelNotFound, WrongValue
from orchestration import services
from orchestration.models import SubTask, Task
from orchestration.refusals import (
    NoGate,
    NothingToRetry,
    OwnApproval,
    SubTaskNotFound,
    SubTaskStarted,
    TaskEnded,
)
from orchestration.services.texts import texts_of
from security.actor import Actor
from security.models import AuditEntry
from tests.actors import ACTOR, CAROL
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.orchestration.work import (
    assert_finalized,
    assert_tasks_balance,
    description_of,
    finish_attempt,
    start_attempts,
    statuses,
    submit_at_noon,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _ada(people):
    add_key("nvidia-1", per_day=10_000_000)


def part(key, *needs, **changes):
    return {"id": key, "description": f"do {key}", "depends_on": list(needs), **changes}


def diamond(rule, **changes):
    """a before b and c, and d after both, with this rule."""
    return submit_at_noon(
        part("a"),
        part("b", "a"),
        part("c", "a"),
        part("d", "b", "c", if_dependency_fails=rule),
        retry_on_failure=False,
        **changes,
    )


def run(task, **fails):
    """Run all there is; those of `fails` fail with that kind. The keys in their order."""
    order = []
    while started := start_attempts():
        for attempt in started:
            key = attempt.sub_task.key
            order.append(key)
            finish_attempt(attempt, fails.get(key, ""), used=10, text=f"result of {key}")
    task.refresh_from_db()
    return order


def of(task, key):
    return SubTask.objects.get(task=task, key=key)


@pytest.mark.parametrize(
    ("rule", "status", "error"),
    [
        ("fail", "failed", "The sub-task b, which it depends on, failed (refused)."),
        ("skip", "cancelled", "Skipped: the sub-task b, which it depends on, failed (refused)."),
        ("run", "succeeded", ""),
    ],
)
def test_a_rule_decides_what_follows_a_failure(rule, status, error):
    """O05."""
    task = diamond(rule)
    run(task, b="refused")
    last = of(task, "d")
    assert (last.status, last.error) == (status, error)
    assert (task.status, of(task, "c").status) == ("partial", "succeeded")
    assert task.status_reason.startswith("The sub-task b failed")
    assert_finalized(task)


def test_what_goes_on_is_told_what_is_missing():
    task = diamond("run")
    (first,) = start_attempts()
    finish_attempt(first)
    one, other = start_attempts()
    finish_attempt(one, "failed")
    assert statuses(task)[3] == "blocked", "c has not ended yet"
    finish_attempt(other, text="what c found")
    (last,) = services.claim(worker="one", most=1, now=NOON)
    prompt = services.lend(last, now=NOON).prompt
    assert "what c found" in prompt
    assert "it has no result. Go on with what there is." in prompt


def test_rules_hold_along_a_chain():
    """O05."""
    task = submit_at_noon(
        part("a"),
        part("b", "a", if_dependency_fails="skip"),
        part("c", "b"),
        part("d", "c", if_dependency_fails="run"),
        part("e", "d"),
        retry_on_failure=False,
    )
    assert run(task, a="failed") == ["a", "d", "e"]
    assert statuses(task) == ["failed", "cancelled", "failed", "succeeded", "succeeded"]
    assert "The sub-task a, which it depends on, failed" in of(task, "c").error


def test_all_of_them_fail_and_the_rest_still_runs():
    task = diamond("run")
    assert sorted(run(task, b="failed", c="timeout")) == ["a", "b", "c", "d"]
    assert task.status == "partial"


def test_a_gate_behind_a_failure_opens_only_for_what_runs():
    task = submit_at_noon(
        part("a"),
        part("b", "a", if_dependency_fails="run", needs_approval=True),
        retry_on_failure=False,
    )
    run(task, a="failed")
    assert statuses(task) == ["failed", "gated"]


def test_cancelling_starts_nothing_that_would_run_after_a_failure():
    task = submit_at_noon(part("a"), part("b", "a", if_dependency_fails="run"))
    services.cancel(task_id=task.pk, actor=ACTOR, now=NOON)
    assert statuses(task) == ["cancelled", "cancelled"]
    assert start_attempts() == []


# --- Skip -----------------------------------------------------------------------------------------


def skip(task, key, **changes):
    return services.skip(task_id=task.pk, key=key, actor=ACTOR, now=NOON, **changes)


def test_a_failed_part_is_skipped_and_what_failed_because_of_it_goes_on():
    task = diamond("fail")
    run(task, b="refused")
    assert statuses(task) == ["succeeded", "failed", "succeeded", "failed"]
    skip(task, "b", reason="not needed")
    assert statuses(task) == ["succeeded", "cancelled", "succeeded", "waiting"]
    assert of(task, "b").error == "Skipped by test: not needed"
    assert run(task) == ["d"]
    assert task.status == "completed"
    entry = AuditEntry.objects.filter(action="sub_task.skip").get()
    assert (entry.reason, entry.before) == ("not needed", {"status": "failed"})
    skip(task, "b")
    assert AuditEntry.objects.filter(action="sub_task.skip").count() == 1
    assert_finalized(task)


@pytest.mark.parametrize("before", ["waiting", "blocked", "gated"])
def test_what_has_not_started_is_skipped_while_others_run(before):
    first = {"waiting": [], "blocked": ["x"], "gated": []}[before]
    task = submit_at_noon(
        part("x"),
        part("a", *first, needs_approval=before == "gated"),
        part("b", "a"),
        max_concurrent=1,
    )
    (running,) = start_attempts()
    assert of(task, "a").status == before
    skip(task, "a")
    assert of(task, "b").status == "waiting"
    finish_attempt(running)
    assert run(task) == ["b"]
    assert task.status == "completed"


def test_skipping_the_last_one_ends_the_task():
    task = submit_at_noon(part("a"), part("b", "a"))
    finish_attempt(start_attempts()[0])
    skip(task, "b")
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("completed", ["succeeded", "cancelled"])


def test_what_needs_another_failed_one_stays_failed():
    task = diamond("fail")
    run(task, b="failed", c="failed")
    skip(task, "b")
    assert statuses(task)[1:] == ["cancelled", "failed", "failed"]
    assert Task.objects.get(pk=task.pk).is_over


def test_a_retry_of_everything_leaves_what_was_skipped():
    task = diamond("fail")
    run(task, b="failed", c="failed")
    skip(task, "b")
    services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)
    assert statuses(task)[1:] == ["cancelled", "waiting", "blocked"]
    assert run(task) == ["c", "d"]
    assert task.status == "completed"
    with pytest.raises(NothingToRetry):
        services.retry_failed(task_id=task.pk, key="b", actor=ACTOR, now=NOON)


def test_a_skipped_part_that_is_named_runs_unless_others_went_on():
    """O05 and O41: what was skipped by mistake."""
    task = submit_at_noon(part("a"), part("b"), part("c", "b"), part("d", "c"), part("e", "a"))
    for key in ("b", "c", "a"):
        services.skip(task_id=task.pk, key=key, actor=ACTOR, now=NOON)
    assert statuses(task) == ["cancelled", "cancelled", "cancelled", "waiting", "waiting"]
    services.retry_failed(task_id=task.pk, key="c", actor=ACTOR, now=NOON)
    assert statuses(task) == ["cancelled", "cancelled", "waiting", "blocked", "waiting"]
    services.retry_failed(task_id=task.pk, key="b", actor=ACTOR, now=NOON)
    assert statuses(task) == ["cancelled", "waiting", "blocked", "blocked", "waiting"]
    started = {attempt.sub_task.key: attempt for attempt in start_attempts()}
    assert set(started) == {"b", "e"}
    with pytest.raises(NothingToRetry):
        services.retry_failed(task_id=task.pk, key="a", actor=ACTOR, now=NOON)
    finish_attempt(started["e"])
    finish_attempt(started["b"])
    assert run(task) == ["c", "d"]
    assert statuses(task) == ["cancelled", *["succeeded"] * 4]
    assert_tasks_balance()


def test_what_runs_or_is_done_is_not_skipped():
    task = submit_at_noon(part("a"), part("b"), max_concurrent=1)
    start_attempts()
    for key, refusal in (("a", SubTaskStarted), ("z", SubTaskNotFound)):
        with pytest.raises(refusal):
            skip(task, key)


# --- Retry and change one -------------------------------------------------------------------------


def test_one_part_is_retried_while_others_run():
    task = submit_at_noon(part("a"), part("b"), part("c", "a"), retry_on_failure=False)
    one, other = start_attempts()
    finish_attempt(one, "failed", used=1_000)
    services.retry_failed(task_id=task.pk, key="a", actor=ACTOR, now=NOON)
    assert statuses(task) == ["waiting", "running", "blocked"]
    task.refresh_from_db()
    assert (task.status, task.deadline_at) == ("active", NOON + timedelta(hours=1))
    assert_tasks_balance()
    assert run(task) == ["a", "c"]
    finish_attempt(other)
    task.refresh_from_db()
    assert task.status == "completed"
    assert_finalized(task)


def change(task, key, **changes):
    return services.change_sub_task(
        task_id=task.pk, key=key, changes=changes, actor=ACTOR, now=NOON
    )


def test_a_failed_part_gets_other_words_and_another_model():
    add_key("openai-1", provider="openai")
    task = submit_at_noon(part("a"), retry_on_failure=False)
    run(task, a="refused")
    change(task, "a", description="do it in other words", model="model-1", provider="openai")
    services.retry_failed(task_id=task.pk, key="a", actor=ACTOR, now=NOON)
    (again,) = services.claim(worker="one", most=1, now=NOON)
    assert "do it in other words" in services.lend(again, now=NOON).prompt
    again.refresh_from_db()
    assert again.provider == "openai"
    entry = AuditEntry.objects.filter(action="sub_task.change").get()
    assert entry.after == {"model": "model-1", "provider": "openai", "description": "changed"}


def test_a_part_that_waits_gets_another_rule():
    task = submit_at_noon(part("a"), part("b", "a"), retry_on_failure=False)
    change(task, "b", if_dependency_fails="run")
    assert run(task, a="failed") == ["a", "b"]


def test_wrong_changes_are_refused():
    task = submit_at_noon(part("a"), part("b"), max_concurrent=1)
    for changes, refusal in (({"description": " "}, WrongValue), ({"model": "x"}, ModelNotFound)):
        with pytest.raises(refusal):
            change(task, "b", **changes)
    start_attempts()
    with pytest.raises(SubTaskStarted):
        change(task, "a", description="too late")
    assert description_of(of(task, "b")) == "do b"
    assert texts_of(task)


# --- Gates ----------------------------------------------------------------------------------------


def gate(**changes):
    return submit_at_noon(part("a"), part("b", "a", needs_approval=True), part("c", "b"), **changes)


def at_gate(**changes):
    task = gate(**changes)
    finish_attempt(start_attempts()[0])
    assert statuses(task) == ["succeeded", "gated", "blocked"]
    return task


def test_a_gate_is_told_warned_of_and_expires():
    """O08."""
    task = at_gate(approval_timeout=1_000, timeout=60)
    services.sweep(now=NOON)
    told = Alert.objects.get()
    assert (told.kind, told.severity) == ("sub_task_needs_approval", "warning")
    assert "fails at 2026-03-10 12:16 UTC" in told.detail
    services.sweep(now=NOON + timedelta(seconds=790))
    assert Alert.objects.count() == 1
    services.sweep(now=NOON + timedelta(seconds=810))
    warned = Alert.objects.exclude(status="resolved").get()
    assert (warned.kind, warned.severity) == ("sub_task_approval_ends", "critical")
    services.sweep(now=NOON + timedelta(seconds=1_001))
    task.refresh_from_db()
    assert (of(task, "b").error_kind, of(task, "c").error_kind) == (
        "approval_expired",
        "dependency_failed",
    )
    assert (task.status, "not approved in time" in task.status_reason) == ("partial", True)
    assert Alert.objects.exclude(status="resolved").get().kind == "task_ended_by_limit"


def test_the_time_at_a_gate_is_none_of_the_tasks():
    task = at_gate(timeout=600)
    later = NOON + timedelta(hours=5)
    assert services.sweep(now=later) == 0
    services.approve(task_id=task.pk, key="b", actor=CAROL, now=later)
    task.refresh_from_db()
    assert task.deadline_at == later + timedelta(seconds=600)
    assert [attempt.sub_task.key for attempt in start_attempts(later)] == ["b"]
    services.sweep(now=later)
    assert not Alert.objects.exclude(status="resolved").exists()


def test_the_time_for_an_approval_stands_still_while_a_task_is_paused():
    """O08 and O41: it neither expires with the pause nor in silence after it."""
    task = at_gate(approval_timeout=1_000, timeout=600)
    services.sweep(now=NOON)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON + timedelta(seconds=900))
    services.sweep(now=NOON + timedelta(seconds=930))
    assert not Alert.objects.exclude(status="resolved").exists()
    later = NOON + timedelta(hours=5)
    services.resume(task_id=task.pk, actor=ACTOR, now=later)
    services.sweep(now=later)
    assert statuses(task) == ["succeeded", "gated", "blocked"]
    warned = Alert.objects.exclude(status="resolved").get()
    assert "fails at 2026-03-10 17:01 UTC" in warned.detail
    services.sweep(now=later + timedelta(seconds=101))
    assert of(task, "b").error_kind == "approval_expired"


@pytest.mark.parametrize("order", ["approve, resume", "resume, approve"])
def test_a_pause_at_a_gate_moves_the_deadline_once(order):
    """O41."""
    task = at_gate(timeout=600)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON + timedelta(hours=1))
    later = NOON + timedelta(hours=5)
    for verb in order.split(", "):
        about = {"key": "b"} if verb == "approve" else {}
        getattr(services, verb)(task_id=task.pk, actor=CAROL, now=later, **about)
    task.refresh_from_db()
    assert task.deadline_at == later + timedelta(seconds=600)


@pytest.mark.parametrize(
    ("acts", "counted"),
    [
        # Both gates open at 0: at first both waited 10 hours, then one of them.
        ("10 b, 10 c", 10),
        ("6 b, 10 c", 10),
        ("6 c, 10 b", 10),
        # Before its turn: d is at no gate yet.
        ("2 d, 6 b, 10 c", 10),
        # One of them is refused, is skipped or expires.
        ("4 b no, 10 c", 10),
        ("10 c, 12 b no", 12),
        ("4 b skip, 10 c", 10),
        ("20 sweep", 20),
        # What was paused counts once, before, during and after.
        ("2 pause, 5 resume, 6 b, 10 c", 10),
        ("2 pause, 4 b, 5 resume, 10 c", 10),
        ("2 pause, 4 b, 6 c, 9 resume", 9),
        ("2 b, 3 pause, 5 resume, 10 c", 10),
        ("6 b, 10 c, 11 pause, 13 resume", 12),
        ("3 pause, 4 resume, 5 pause, 7 resume, 8 b, 9 c", 9),
    ],
)
def test_the_time_of_several_gates_and_pauses_counts_once(acts, counted):
    """O08 and O41."""
    task = submit_at_noon(
        part("b", needs_approval=True),
        part("c", needs_approval=True),
        part("d", "c", needs_approval=True),
        timeout=600,
        approval_timeout=20 * 3_600 - 1,
    )
    verbs = {"": services.approve, "no": services.refuse, "skip": services.skip}
    for act in acts.split(", "):
        hours, what, *how = act.split()
        now = NOON + timedelta(hours=int(hours))
        if what == "sweep":
            services.sweep(now=now)
        elif what in ("pause", "resume"):
            getattr(services, what)(task_id=task.pk, actor=CAROL, now=now)
        else:
            verb = verbs["".join(how)]
            verb(task_id=task.pk, key=what, reason="test", actor=CAROL, now=now)
    task.refresh_from_db()
    assert task.deadline_at == NOON + timedelta(hours=counted, seconds=600)


def test_a_resolved_alert_of_a_gate_is_not_raised_again():
    at_gate()
    services.sweep(now=NOON)
    alerts.resolve(Alert.objects.get().pk, actor=ACTOR, now=NOON)
    services.sweep(now=NOON + timedelta(seconds=30))
    assert Alert.objects.count() == 1


def refuse(task, key="b", actor=CAROL, reason="not now"):
    return services.refuse(task_id=task.pk, key=key, reason=reason, actor=actor, now=NOON)


def test_an_approval_is_refused_with_a_reason():
    """O08."""
    task = at_gate()
    refused = refuse(task)
    assert (refused.status, refused.error_kind) == ("failed", "approval_refused")
    assert refused.error == "carol refused the approval: not now"
    task.refresh_from_db()
    assert task.status == "partial"
    refuse(task)
    assert AuditEntry.objects.filter(action="sub_task.refuse").count() == 1
    services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)
    assert statuses(task) == ["succeeded", "gated", "blocked"]


def test_it_is_refused_before_its_turn_and_others_go_on():
    task = gate()
    refuse(task)
    assert statuses(task) == ["waiting", "failed", "failed"]
    assert run(task) == ["a"]


def test_who_submitted_it_neither_approves_nor_refuses():
    """O30."""
    task = at_gate()
    for verb in (services.approve, services.refuse):
        with pytest.raises(OwnApproval):
            verb(task_id=task.pk, key="b", reason="test", actor=Actor.agent("ada"), now=NOON)


def test_what_has_no_gate_is_not_refused():
    task = gate()
    with pytest.raises(NoGate):
        refuse(task, "a")
    services.approve(task_id=task.pk, key="b", actor=CAROL, now=NOON)
    with pytest.raises(NoGate):
        refuse(task)
    services.cancel(task_id=task.pk, actor=ACTOR, now=NOON)
    with pytest.raises(TaskEnded):
        refuse(task, "c")
