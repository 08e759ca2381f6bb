from datetime import timedelta
import json
import pytest
from django.utils import timezone
from alerts.models import Alert
from keys import services as keys
from keys.models import Agent, CostCentre
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.refusals import *
from orchestration.queries.plans import plan_preview
from tests.actors import ACTOR
from security.actor import Actor
from tests.keys.builders import *
from tests.moments import NOON
from tests.orchestration.work import *
from tests.orchestration.test_waits import turns, fill
from tests.orchestration.test_planning_by_model import submit_for_model, task_after_planning, TEXT

pytestmark = pytest.mark.django_db(transaction=True)
CAROL = Actor.agent("carol")

@pytest.fixture
def ada(people):
    add_key("nvidia-1", per_day=100_000_000)

def conc(scope, n=0):
    services.set_concurrency(scope, attempts_max=n, actor=ACTOR, reason="x", now=NOON)

@pytest.mark.parametrize("scope", ["centre:research", "centre:org", "runner:model", "provider:nvidia", "agent:ada", "all", "provider-unnamed"])
def test_o34_concurrency(ada, scope):
    named = {"provider": "nvidia"} if scope == "provider:nvidia" else {}
    conc(scope.replace("provider-unnamed", "provider:nvidia"))
    task = submit_at_noon("gather", budget=5000, timeout=120, **named)
    turns(40)
    one = SubTask.objects.get(task=task)
    print("DURING", scope, one.error_kind, one.error, list(Alert.objects.values_list("kind","detail")), Attempt.objects.count())
    turns(30, begin=NOON + timedelta(seconds=90))
    one.refresh_from_db(); task.refresh_from_db()
    print("END", one.error_kind, one.error, "|", task.status_reason, list(Alert.objects.values_list("kind", flat=True)))
    assert "limit" in one.error and scope.replace("provider-unnamed", "provider:nvidia") in one.error

@pytest.mark.parametrize("scope", ["centre:research", "agent:ada", "all", "key:nvidia-1", "provider:nvidia"])
def test_o34_frozen(ada, scope):
    task = submit_at_noon("gather", budget=5000, timeout=120)
    keys.freeze(scope=scope, mode="cut", reason="leak", actor=ACTOR, now=NOON)
    turns(40)
    one = SubTask.objects.get(task=task)
    print("DURING", scope, one.error_kind, one.error, list(Alert.objects.values_list("kind","detail")), Attempt.objects.count())
    turns(30, begin=NOON + timedelta(seconds=90))
    one.refresh_from_db(); task.refresh_from_db()
    print("END", one.error_kind, one.error, "|", task.status_reason)
    assert "frozen" in one.error

def test_o35_provider(ada):
    conc("provider:nvidia")
    submit_at_noon(*[f"part {n}" for n in range(60)], budget=60_000, max_concurrent=60)
    turns(12, most=20); a = Attempt.objects.count()
    turns(60, begin=NOON+timedelta(seconds=30), most=20); b = Attempt.objects.count()
    print("ROWS", a, b)
    assert b <= 5

def test_o35_one_agent_each(ada):
    fill("centre above")
    for n in range(20):
        submit_at_noon("x", budget=1000)
    turns(60); print("ROWS", Attempt.objects.count())
    assert Attempt.objects.count() <= 5

def test_o37_sixty(people):
    add_key("nvidia-1", per_day=50_000)
    parts = [{"description": f"p{n}", "estimated_tokens": 1000 + n} for n in range(60)]
    parts.append({"description": "big", "estimated_tokens": 400_000})
    with pytest.raises(BudgetTooLarge):
        submit_at_noon(*parts, budget=400_000)
@pytest.mark.parametrize("unit", ["tokens", "usd"])
def test_o37_total(people, unit):
    add_key("openai-1", provider="openai", per_day=None, rates=PAID)
    c = CostCentre.objects.get(pk="research")
    if unit == "tokens":
        limit(c, 100_000, period="total")
        report(allocate("ada", 95_000), 90_000)
    else:
        limit(c, 2, unit="usd", period="total")
        report(allocate("ada", 100_000), 100_000)
        keys
    from keys.models import Allocation
    for a in Allocation.objects.all(): complete(a)
    with pytest.raises(BudgetTooLarge) as e:
        submit_at_noon("hello", budget=120_000 if unit == "usd" else 50_000)
    print(e.value.detail)

def test_o37_total_key(people):
    k = add_key("nvidia-1", per_day=None)
    limit(k, 100_000, period="total")
    a = allocate("ada", 80_000); report(a, 80_000); complete(a)
    with pytest.raises(BudgetTooLarge) as e:
        submit_at_noon("hello", budget=50_000)
    print(e.value.detail)

@pytest.mark.parametrize("how", ["raise", "retry"])
def test_o37_raise(people, how):
    add_key("nvidia-1", per_day=50_000)
    task = submit_at_noon("a", budget=2000, max_retries=0)
    finish_attempt(start_attempts()[0], "budget_exhausted", used=1000)
    with pytest.raises(BudgetTooLarge):
        if how == "raise":
            services.raise_budget(task_id=task.pk, additional_budget=40_000_000, actor=ACTOR, now=NOON)
        else:
            services.retry_failed(task_id=task.pk, additional_budget=40_000_000, actor=ACTOR, now=NOON)

def test_o37_planner(people):
    add_key("nvidia-1", per_day=80_000)
    request = services.TaskRequest(name="s", description=TEXT, total_budget=40_000_000, planner="model", retry_on_failure=False)
    try:
        task, _ = services.submit(agent="ada", request=request, now=NOON)
    except BudgetTooLarge as e:
        print("REFUSED", e.detail); return
    (attempt,) = services.claim(worker="one", most=5, now=NOON)
    services.lend(attempt, now=NOON)
    plan = json.dumps({"sub_tasks": [{"id": "a", "description": "gather"}]})
    ended = services.AttemptOutcome(attempt.pk, attempt.fence, "succeeded", text=plan)
    services.finish_many([ended], now=NOON)
    print(list(SubTask.objects.values_list("key", "share", "status", "error")), Task.objects.get().status_reason)
    turns(40)
    print(list(SubTask.objects.values_list("key", "share", "status", "error")), Task.objects.get().status_reason)
    assert SubTask.objects.filter(position__gt=0).exclude(status="waiting").exists()

def test_o37_change(people):
    add_key("nvidia-1", per_day=500_000)
    k = add_key("openai-1", per_day=5_000, provider="openai")
    task = submit_at_noon("a", budget=200_000)
    with pytest.raises(BudgetTooLarge):
        services.change_sub_task(task_id=task.pk, key="1", changes={"provider": "openai"}, actor=ACTOR, now=NOON)

def test_o11_raise_while_running(ada):
    task = submit_at_noon("a", budget=2000, max_retries=0)
    (a,) = start_attempts()
    services.raise_budget(task_id=task.pk, additional_budget=20_000, actor=ACTOR, now=NOON+timedelta(seconds=1))
    finish_attempt(a, "budget_exhausted", used=2000)
    print(statuses(task), list(SubTask.objects.values_list("share", "error")))
    (again,) = start_attempts(NOON + timedelta(minutes=3))
    assert again.tokens == 20_000

def test_o11_twice_keys(ada):
    task = submit_at_noon("a", budget=2000, max_retries=0)
    for key in ("k1", "k2", "k1"):
        services.raise_budget(task_id=task.pk, additional_budget=1000, actor=ACTOR, now=NOON, idempotency_key=key)
    task.refresh_from_db()
    assert task.budget == 4000

def test_o11_same_key_two_actions(ada):
    task = submit_at_noon("a", budget=2000, max_retries=0)
    services.raise_budget(task_id=task.pk, additional_budget=1000, actor=ACTOR, now=NOON, idempotency_key="k")
    try:
        services.raise_budget(task_id=task.pk, additional_budget=5000, actor=ACTOR, now=NOON, idempotency_key="k")
    except Exception as e:
        print(type(e)); return
    assert False, "silently ignored"

def test_soft(ada):
    task = submit_at_noon("a", {"description": "b", "depends_on": ["1"]}, budget=10_000, soft_limit_percent=50)
    services.raise_budget(task_id=task.pk, additional_budget=90_000, actor=ACTOR, now=NOON)
    finish_attempt(start_attempts()[0], used=5500)
    task.refresh_from_db()
    assert task.status == "active", task.status_reason

def at_gate(**changes):
    task = submit_at_noon("a", {"description": "b", "depends_on": ["1"], "needs_approval": True}, **changes)
    finish_attempt(start_attempts()[0])
    return task

def test_o41_pause_gate(ada):
    task = at_gate(approval_timeout=1000)
    services.sweep(now=NOON)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON + timedelta(seconds=100))
    services.sweep(now=NOON + timedelta(seconds=130))
    later = NOON + timedelta(hours=5)
    services.sweep(now=later)
    services.resume(task_id=task.pk, actor=ACTOR, now=later)
    services.sweep(now=later)
    print(statuses(task), list(Alert.objects.values_list("kind", "status", "detail")))
    assert statuses(task)[1] == "gated"
    assert Alert.objects.exclude(status="resolved").exists()

def test_o41_pause_gate_deadline(ada):
    task = at_gate(timeout=600)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    later = NOON + timedelta(hours=5)
    services.resume(task_id=task.pk, actor=ACTOR, now=later)
    services.approve(task_id=task.pk, key="2", actor=CAROL, now=later)
    task.refresh_from_db()
    assert task.deadline_at == later + timedelta(seconds=600), task.deadline_at

def test_o41_two_gates(ada):
    g = {"needs_approval": True}
    task = submit_at_noon({"description": "a", **g}, {"description": "b", **g}, timeout=600)
    later = NOON + timedelta(hours=5)
    for k in "12":
        services.approve(task_id=task.pk, key=k, actor=CAROL, now=later)
    task.refresh_from_db()
    assert task.deadline_at == later + timedelta(seconds=600), task.deadline_at

def test_o41_approve_paused(ada):
    task = at_gate(timeout=600)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    later = NOON + timedelta(hours=5)
    services.approve(task_id=task.pk, key="2", actor=CAROL, now=later)
    services.resume(task_id=task.pk, actor=ACTOR, now=later)
    task.refresh_from_db()
    assert task.deadline_at == later + timedelta(seconds=600), task.deadline_at

def test_retry_skipped(ada):
    task = submit_at_noon({"id": "a", "description": "a"}, {"id": "b", "description": "b", "depends_on": ["a"]}, {"id": "c", "description": "c"})
    services.skip(task_id=task.pk, key="b", actor=ACTOR, now=NOON)
    services.retry_failed(task_id=task.pk, key="b", actor=ACTOR, now=NOON)
    print(statuses(task))

def test_paused_raise(ada):
    task = submit_at_noon("a", budget=2000, max_retries=0)
    finish_attempt(start_attempts()[0], "budget_exhausted", used=2000)
    services.raise_budget(task_id=task.pk, additional_budget=5000, actor=ACTOR, now=NOON)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    services.raise_budget(task_id=task.pk, additional_budget=5000, actor=ACTOR, now=NOON)
    task.refresh_from_db()
    assert task.status == "paused"
    assert start_attempts() == []
    services.resume(task_id=task.pk, actor=ACTOR, now=NOON)
    (a,) = start_attempts()
    assert a.tokens == 10_000
