"""No agent takes the worker slots of others, or submits work without end."""

import pytest
from django.utils import timezone

from keys import services as keys
from keys.refusals import AgentNotFound
from orchestration import services
from orchestration.models import Concurrency, SubTask
from orchestration.refusals import TooManyOpenSubTasks, TooManyOpenTasks
from tests.actors import ACTOR, GRACE
from tests.gateway.server import supply, supply_key
from tests.orchestration.work import finish_attempt, start_attempts, task_request

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _office():
    supply("nvidia-1")
    supply_key("openai-1", provider="openai")


def submit(agent, parts, **changes):
    """A task of so many sub-tasks, all of which may run at once."""
    request = task_request(
        *[f"part {n}" for n in range(parts)],
        **{"max_concurrent": 100_000, "budget": 2_000_000} | changes,
    )
    return services.submit(agent=agent, request=request, now=timezone.now())[0]


def claim(most):
    """The agents of the attempts that start in so many free slots, in their order."""
    started = services.claim(worker="one", most=most, now=timezone.now())
    return [attempt.task.agent_id for attempt in started]


@pytest.fixture
def no_limit(settings):
    """No limit of one agent."""
    settings.AGENT_ATTEMPTS_MAX = 1_000


def test_the_next_free_slot_is_for_the_agent_with_the_fewest_running(no_limit):
    submit("ada", 260)
    assert claim(200) == ["ada"] * 200
    submit("bob", 1)
    assert claim(1) == ["bob"]
    assert claim(5) == ["ada"] * 5


def test_free_slots_are_shared_equally(no_limit):
    for _ in range(3):
        submit("ada", 20)
    submit("bob", 20)
    assert sorted(claim(10)) == ["ada"] * 5 + ["bob"] * 5
    submit("carol", 20)
    assert claim(5) == ["carol"] * 5


def test_an_agent_without_a_limit_of_its_own_has_that_of_the_settings(settings):
    settings.AGENT_ATTEMPTS_MAX = 3
    submit("ada", 10)
    submit("ada", 10)
    submit("bob", 2)
    assert sorted(claim(20)) == ["ada"] * 3 + ["bob"] * 2
    services.set_concurrency(
        "agent:ada", attempts_max=5, reason="few", actor=ACTOR, now=timezone.now()
    )
    assert claim(20) == ["ada"] * 2


@pytest.mark.parametrize(
    "scope", ["agent:ada", "centre:research", "provider:nvidia", "runner:model"]
)
def test_sub_tasks_that_a_limit_stops_take_no_place_from_others(no_limit, scope):
    """O07."""
    Concurrency.objects.create(scope=scope, attempts_max=1)
    others = submit("carol", 4, provider="openai")
    SubTask.objects.filter(task=others).update(runner="openclaw")
    assert claim(2) == ["carol"] * 2
    submit("ada", 10, provider="nvidia")
    assert claim(1) == ["ada"]
    assert claim(1) == ["carol"], "ada has fewer running, but the limit is reached"
    assert claim(9) == ["carol"]


def test_open_tasks_are_limited(settings):
    settings.AGENT_OPEN_TASKS_MAX = 2
    first = submit("ada", 1)
    submit("ada", 1)
    with pytest.raises(TooManyOpenTasks, match="has 2 open tasks, and may have 2"):
        submit("ada", 1)
    assert submit("bob", 1)
    services.cancel(task_id=first.pk, actor=ACTOR, now=timezone.now())
    assert submit("ada", 1)
    with pytest.raises(TooManyOpenTasks):
        services.retry_failed(task_id=first.pk, actor=ACTOR, now=timezone.now())


def test_open_sub_tasks_are_limited(settings):
    settings.AGENT_OPEN_SUB_TASKS_MAX = 10
    submit("ada", 6)
    with pytest.raises(TooManyOpenSubTasks, match="has 6 open sub-tasks, and may have 10, so 5"):
        submit("ada", 5)
    for attempt in start_attempts(timezone.now(), most=1):
        finish_attempt(attempt, now=timezone.now())
    assert submit("ada", 5)
    assert submit("bob", 10)


def test_the_same_task_again_is_no_further_task(settings):
    settings.AGENT_OPEN_TASKS_MAX = 1
    asked = {"agent": "ada", "request": task_request("gather"), "idempotency_key": "once"}
    task, _ = services.submit(**asked, now=timezone.now())
    assert services.submit(**asked, now=timezone.now()) == (task, False)


def test_a_concurrency_limit_is_for_an_agent_that_exists():
    with pytest.raises(AgentNotFound):
        services.set_concurrency(
            "agent:nobody", attempts_max=1, reason="few", actor=ACTOR, now=timezone.now()
        )


@pytest.mark.parametrize(
    ("scope", "others"),
    [("agent:ada", ["carol"]), ("centre:research", ["carol"]), ("centre:org", []), ("all", [])],
)
def test_nothing_starts_for_what_is_frozen(no_limit, scope, others):
    submit("ada", 2)
    submit("carol", 1)
    frozen, _ = keys.freeze(scope, reason="leaked", actor=ACTOR, now=timezone.now())
    assert claim(5) == others
    keys.thaw(frozen.pk, reason="settled", actor=GRACE, now=timezone.now())
    assert sorted([*others, *claim(5)]) == ["ada", "ada", "carol"]
