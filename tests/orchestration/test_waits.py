"""Work that waits for a limit: without rows, without holding others back, and told by its name."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from alerts.models import Alert
from keys import services as keys
from keys.models import Agent, CostCentre
from keys.refusals import WrongValue
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.keys.builders import add_key, allocate, limit, refuse
from tests.moments import NOON
from tests.orchestration.work import (
    assert_tasks_balance,
    finish_attempt,
    start_attempts,
    statuses,
    submit_at_noon,
    task_request,
    turns,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(people):
    """ada, with a key of much room."""
    add_key("nvidia-1", per_day=100_000_000)


def fill(kind, agent="ada"):
    """A limit of this kind that lends 10,000 tokens at once, of which nothing is free now."""
    subject = {
        "centre": lambda: CostCentre.objects.get(pk="research"),
        "centre above": lambda: CostCentre.objects.get(pk="org"),
        "agent": lambda: Agent.objects.get(pk=agent),
    }[kind]()
    set_to = limit(subject, 10_000)
    allocate(agent, 9_900)
    return set_to


@pytest.mark.parametrize("kind", ["centre", "centre above", "agent"])
def test_many_parts_wait_with_a_few_rows(ada, kind):
    """O35."""
    fill(kind)
    submit_at_noon(*[f"part {n}" for n in range(60)], budget=60_000, max_concurrent=60)
    assert turns(12, most=20) == []
    assert Attempt.objects.count() <= 3
    assert SubTask.objects.filter(status="waiting").count() == 60
    assert_tasks_balance()


def test_keys_without_room_make_no_rows_either(people):
    """O35."""
    add_key("nvidia-1", per_day=50_000)
    allocate("carol", 45_000)
    submit_at_noon(*[f"part {n}" for n in range(30)], budget=600_000, max_concurrent=30)
    turns(4)
    before = Attempt.objects.count()
    assert before <= 10
    turns(8, begin=NOON + timedelta(minutes=5))
    assert Attempt.objects.count() == before


def test_what_waits_starts_when_there_is_room_again(ada):
    fill("centre")
    task = submit_at_noon("gather", "write", budget=2_000)
    turns(3)
    assert statuses(task) == ["waiting", "waiting"]
    limit(CostCentre.objects.get(pk="research"), 50_000, now=NOON + timedelta(seconds=10))
    assert len(turns(10, begin=NOON + timedelta(seconds=20), seconds=5)) == 2


@pytest.mark.parametrize("waited_for", ["limit", "place", "provider"])
def test_what_it_waited_for_is_not_said_while_it_runs(ada, waited_for):
    """O34: but why an earlier attempt failed is."""
    task = submit_at_noon("gather", budget=5_000)
    if waited_for == "limit":
        full = fill("agent")
    elif waited_for == "place":
        concurrency("agent:ada")
    else:
        finish_attempt(start_attempts()[0], "rate_limited", says="Too many requests.")
    turns(5) if waited_for != "provider" else None
    one = SubTask.objects.get(task=task)
    assert (one.status, bool(one.error)) == ("waiting", True)
    if waited_for == "limit":
        keys.remove_limit(full, reason="test", actor=ACTOR, now=NOON)
    concurrency("agent:ada", 10)
    (attempt,) = start_attempts(NOON + timedelta(minutes=5))
    one.refresh_from_db()
    assert (one.status, one.error_kind, one.error) == ("running", "", "")
    finish_attempt(attempt, "provider_error", says="It is down.", now=NOON + timedelta(minutes=5))
    start_attempts(NOON + timedelta(minutes=10))
    one.refresh_from_db()
    assert (one.status, one.error_kind, one.error) == ("running", "provider_error", "It is down.")


def test_a_team_without_budget_holds_no_other_back(ada):
    """O07."""
    fill("agent")
    for _ in range(20):
        submit_at_noon("wait", budget=1_000)
    other = services.submit(agent="carol", request=task_request("go"), now=NOON)[0]
    bobs = services.submit(agent="bob", request=task_request("go"), now=NOON)[0]
    started = turns(2)
    assert {attempt.task_id for attempt in started} == {other.pk, bobs.pk}


def test_another_team_of_the_same_agent_is_not_held_back(ada):
    keys.create_cost_centre("rich", parent="research", actor=ACTOR, now=NOON)
    keys.create_cost_centre("poor", parent="research", actor=ACTOR, now=NOON)
    limit(CostCentre.objects.get(pk="poor"), 10_000)
    allocate("ada", 9_900, cost_centre="poor")
    for _ in range(30):
        submit_at_noon("wait", budget=1_000, cost_centre="poor")
    task = submit_at_noon("go", cost_centre="rich")
    assert [attempt.task_id for attempt in turns(3)] == [task.pk]


def test_smaller_work_of_a_team_starts_where_larger_does_not_fit(ada):
    limit(CostCentre.objects.get(pk="research"), 10_000)
    allocate("ada", 8_000)
    submit_at_noon(*["large"] * 5, budget=25_000, max_concurrent=10)
    turns(2)
    small = submit_at_noon("small", budget=1_000)
    assert [attempt.task_id for attempt in turns(3, begin=NOON + timedelta(seconds=9))] == [
        small.pk
    ]


def test_the_end_of_a_wait_names_the_limit_and_raises_an_alert(ada):
    """O34."""
    fill("centre")
    task = submit_at_noon("gather", budget=5_000, timeout=120)
    turns(40)
    one = SubTask.objects.get(task=task)
    assert (one.status, one.error_kind) == ("waiting", "no_capacity")
    assert "centre:research tokens per day is 10,000" in one.error
    waits = Alert.objects.get(kind="work_waits_for_limit")
    assert "centre:research" in waits.detail
    turns(30, begin=NOON + timedelta(seconds=90))
    task.refresh_from_db()
    one.refresh_from_db()
    assert (task.status, one.error_kind) == ("failed", "task_timeout")
    assert "centre:research tokens per day is 10,000" in one.error
    assert "centre:research tokens per day is 10,000" in task.status_reason
    ended = Alert.objects.get(kind="task_ended_by_limit")
    assert (ended.facts["task"], ended.agent_id) == (task.pk, "ada")
    waits.refresh_from_db()
    assert waits.status == "resolved"


def ended_by_waiting(*, says, timeout=120, **changes):
    """The only sub-task of a task whose time is over: while it waited, and at its end, it said."""
    task = submit_at_noon("gather", budget=5_000, timeout=timeout, **changes)
    turns(40)
    one = SubTask.objects.get(task=task)
    assert (one.status, one.error_kind, one.error) == ("waiting", "no_capacity", says)
    assert Alert.objects.get(kind="work_waits_for_limit").detail == says
    turns(30, begin=NOON + timedelta(seconds=90))
    task.refresh_from_db()
    one.refresh_from_db()
    assert (task.status, one.error_kind) == ("failed", "task_timeout")
    assert one.error == f"The task exceeded its time limit. It waited: {says}"
    assert one.error in task.status_reason
    assert Alert.objects.filter(kind="task_ended_by_limit").count() == 1
    assert Attempt.objects.count() <= 1


def concurrency(scope, most=0):
    services.set_concurrency(scope, attempts_max=most, reason="test", actor=ACTOR, now=NOON)


@pytest.mark.parametrize(
    "scope",
    ["centre:research", "centre:org", "runner:model", "provider:nvidia", "agent:ada", "all"],
)
def test_a_wait_for_a_concurrency_limit_is_told_by_its_name(ada, scope):
    """O34 and O07: limits of concurrency, of everything that has them."""
    concurrency(scope)
    named = {"provider": "nvidia"} if scope == "provider:nvidia" else {}
    says = f"The concurrency limit {scope} lets nothing start."
    ended_by_waiting(says=says, **named)


NOT_ACTIVE = "No API key that could serve the request is active: nvidia-1 is {}. Ask an operator"
FROZEN = {
    "centre:research": "centre:research is frozen: nothing starts until it is thawed.",
    "centre:org": "centre:org is frozen: nothing starts until it is thawed.",
    "agent:ada": "agent:ada is frozen: nothing starts until it is thawed.",
    "all": "Everything is frozen: nothing starts until it is thawed.",
    "key:nvidia-1": f"{NOT_ACTIVE.format('frozen')} to look at the keys.",
    "provider:nvidia": f"{NOT_ACTIVE.format('frozen')} to look at the keys.",
}


@pytest.mark.parametrize("scope", FROZEN)
def test_a_wait_for_a_freeze_is_told(ada, scope):
    """O34."""
    keys.freeze(scope=scope, mode="cut", reason="leak", actor=ACTOR, now=NOON)
    ended_by_waiting(says=FROZEN[scope])


def test_a_wait_for_broken_keys_names_them(ada):
    """O34 and O29: nobody is told to ask for fewer tokens."""
    add_key("nvidia-2")
    for slug in ("nvidia-1", "nvidia-2"):
        refuse(slug, "invalid")
    says = NOT_ACTIVE.format("broken, nvidia-2 is broken")
    ended_by_waiting(says=f"{says} to look at the keys.")


def test_who_only_waits_for_its_turn_says_so_without_an_alert(ada):
    """O07 and O34: a limit that has places is no fault, unless a task ends by it."""
    concurrency("runner:model", 1)
    first = submit_at_noon("long", budget=5_000, timeout=900)
    (running,) = turns(1)
    second = submit_at_noon("gather", budget=5_000, timeout=120)
    turns(10)
    one = SubTask.objects.get(task=second)
    says = "The concurrency limit runner:model (1 at once) is reached."
    assert (one.error_kind, one.error) == ("no_place", says)
    turns(30, begin=NOON + timedelta(seconds=61))
    assert not Alert.objects.filter(kind="work_waits_for_limit").exists()
    concurrency("runner:model", 2)
    concurrency("agent:ada", 1)
    services.sweep(now=NOON + timedelta(seconds=125))
    one.refresh_from_db()
    assert (one.status, one.error_kind) == ("failed", "task_timeout")
    assert "It waited: The concurrency limit agent:ada (1 at once) is reached." in one.error
    finish_attempt(running, now=NOON + timedelta(seconds=130))
    assert statuses(first) == ["succeeded"]
    assert_tasks_balance()


def test_a_provider_without_places_makes_no_rows_and_another_takes_its_work(people):
    """O35 and O07: a limit of a provider that no part names."""
    add_key("nvidia-1", per_day=100_000_000, priority=9)
    concurrency("provider:nvidia")
    many = [f"part {n}" for n in range(60)]
    task = submit_at_noon(*many, budget=600_000, max_concurrent=60)
    assert turns(12, most=20) == []
    assert Attempt.objects.count() <= 3
    says = "The concurrency limit of provider:nvidia is reached, and no other API key has room."
    turns(40, begin=NOON + timedelta(seconds=30), most=20)
    assert Attempt.objects.count() <= 3
    assert set(task.sub_tasks.values_list("error", flat=True)) <= {says, ""}
    add_key("openai-1", per_day=50_000, provider="openai")
    assert len(turns(15, begin=NOON + timedelta(minutes=3), most=20)) == 5
    assert_tasks_balance()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("budget_exhausted", "its share of the budget is used up"),
        ("refused", "the provider or Butler refused the request"),
        ("timeout", "the attempt exceeded its time limit"),
    ],
)
def test_a_failed_task_says_which_part_failed_and_why(ada, kind, reason):
    task = submit_at_noon(
        {"id": "a", "description": "gather"},
        {"id": "b", "description": "write"},
        retry_on_failure=False,
    )
    first, second = start_attempts()
    finish_attempt(first)
    finish_attempt(second, kind, says="")
    task.refresh_from_db()
    assert task.status_reason == f"The sub-task b failed: {reason}."
    told = Alert.objects.filter(kind="task_ended_by_limit").exists()
    assert told == (kind == "budget_exhausted")


def test_what_a_program_printed_is_in_no_reason_of_a_task(ada):
    task = submit_at_noon("gather", retry_on_failure=False)
    finish_attempt(start_attempts()[0], "failed", says="secret words of a prompt")
    task.refresh_from_db()
    assert task.status_reason == "The sub-task 1 failed: the sub-agent failed."


def test_the_urgent_is_not_held_up_by_what_it_needs(ada):
    """O18."""
    submit_at_noon(
        {"id": "l", "description": "low", "priority": "low"},
        *[{"id": f"m{n}", "description": "medium"} for n in range(4)],
        {"id": "c", "description": "urgent", "priority": "critical", "depends_on": ["l"]},
        max_concurrent=1,
    )
    order = []
    while started := start_attempts():
        order.append(started[0].sub_task.key)
        finish_attempt(started[0])
    assert order == ["l", "c", "m0", "m1", "m2", "m3"]


def test_tasks_of_an_agent_start_by_priority_and_hold_no_other_agent_back(ada, settings):
    settings.AGENT_ATTEMPTS_MAX = 1_000
    low = submit_at_noon("low", priority="low")
    usual = submit_at_noon("medium")
    urgent = submit_at_noon("urgent", "urgent", priority="critical")
    other = services.submit(agent="carol", request=task_request("other"), now=NOON)[0]
    claimed = [services.claim(worker="one", most=1, now=NOON)[0].task_id for _ in range(5)]
    assert sorted(claimed[:2]) == sorted([urgent.pk, other.pk])
    assert claimed[2:] == [urgent.pk, usual.pk, low.pk]


def test_a_priority_that_is_none_is_refused():
    with pytest.raises(WrongValue, match="priority must be one of"):
        task_request("gather", priority="urgent").check()


def claimed_task():
    """The task of the next part that a worker gets."""
    return services.claim(worker="one", most=1, now=NOON)[0].task_id


def test_the_priority_of_a_task_that_runs_counts_for_parts_that_have_not_started(ada):
    first, second = submit_at_noon("a", "b", "c"), submit_at_noon("a", "b")
    assert claimed_task() == first.pk
    changes = {"task_id": second.pk, "actor": ACTOR, "now": NOON}
    for _ in range(2):
        services.set_priority(priority="critical", reason="the release", **changes)
    assert [claimed_task(), claimed_task()] == [second.pk, second.pk]
    assert sorted(statuses(first)) == ["running", "waiting", "waiting"]
    [told] = AuditEntry.objects.filter(action="task.set_priority")
    assert (told.before["priority"], told.after["priority"]) == ("medium", "critical")
    assert told.subjects == [f"task:{second.pk}", "agent:ada", "centre:research"]
    assert told.reason == "the release"
    with pytest.raises(WrongValue, match="priority must be one of"):
        services.set_priority(priority="urgent", **changes)


def test_the_priority_of_a_paused_task_is_changed_and_of_one_that_ended_is_not(ada):
    kept, gone = submit_at_noon("a"), submit_at_noon("a")
    for task in (kept, gone):
        services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    out = io.StringIO()
    call_command("task_priority", kept.pk, "low", reason="later", stdout=out)
    assert Task.objects.get(pk=kept.pk).priority == "low"
    assert "The priority of the task" in out.getvalue()
    assert AuditEntry.objects.get(action="task.set_priority").actor_kind == "command_line"
    services.cancel(task_id=gone.pk, actor=ACTOR, now=NOON)
    for missing, says in ((gone.pk, "cancelled"), (10**6, "not exist")):
        with pytest.raises(CommandError, match=says):
            call_command("task_priority", missing, "high", reason="now")


def test_priorities_that_are_changed_while_workers_claim_lose_nothing(ada, at_once):
    tasks = [submit_at_noon("a", "b", "c", "d", max_concurrent=1) for _ in range(3)]

    def change_or_claim(number):
        task = tasks[number % 3]
        for priority in ("critical", "low"):
            services.claim(worker=f"w{number}", most=1, now=NOON)
            services.set_priority(task_id=task.pk, priority=priority, actor=ACTOR, now=NOON)

    at_once(change_or_claim, times=6)
    assert {task.priority for task in Task.objects.all()} == {"low"}
    assert Attempt.objects.count() == 3
    assert_tasks_balance()


def test_the_only_one_is_not_alerted_when_it_waits_shortly(ada):
    fill("centre")
    submit_at_noon("gather", budget=5_000)
    turns(3)
    assert not Alert.objects.exists()
    assert Task.objects.get().status == "active"
