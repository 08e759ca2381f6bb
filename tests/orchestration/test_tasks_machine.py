"""Random plans, outcomes and actions of people keep the budgets and the books in balance.

Random tasks (graphs, priorities, budgets), failures, deaths of workers and orders of people; more,
and other ones each time, with `BUTLER_MACHINE_EXAMPLES=200` (of 120 steps each).
"""

import os
import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from common.refusal import Refusal
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.runners.base import KINDS, Failed
from tests.actors import ACTOR, GRACE
from tests.keys.builders import add_key, make_people, report
from tests.moments import NOON
from tests.orchestration.work import assert_tasks_balance
from tests.tables import empty_tables

STEPS = 120
CHECKED_EVERY = 4
WORKERS = ("one", "other")
FAILURES = [kind for kind in KINDS if kind not in ("cancelled", "quarantined")]


class Orchestra:
    """Tasks of ada's, two workers of which one may die, a person who steers."""

    def __init__(self, seed: int) -> None:
        self.random, self.now = random.Random(seed), NOON  # noqa: S311 - no secret
        empty_tables()
        make_people()
        for number in range(3):
            add_key(f"nvidia-{number}", per_day=400_000)

    def play(self) -> None:
        """Random steps, between which everything holds."""
        verbs = {
            self.submit: 2,
            self.work: 6,
            self.spend_more: 3,
            self.finish: 9,
            self.die: 1,
            self.finalize: 4,
            self.wait: 1,
            self.steer: 1,
            self.approve: 1,
            self.steer_part: 1,
        }
        self.submit()
        chosen = self.random.choices(list(verbs), list(verbs.values()), k=STEPS)
        for step, verb in enumerate(chosen):
            verb()
            if step % CHECKED_EVERY == 0:
                assert_tasks_balance()
                assert not Task.objects.filter(overrun=True).exists()
        self.bring_to_an_end()

    def submit(self) -> None:
        """A task whose parts depend on some before them."""
        pick = self.random.choice
        sub_tasks = tuple(
            {
                "description": f"part {number}",
                "priority": pick(["low", "medium", "high", "critical"]),
                "estimated_tokens": self.random.randint(1, 5_000),
                "depends_on": [str(n) for n in range(1, number) if self.random.random() < 0.3],
                "needs_approval": self.random.random() < 0.1,
                "if_dependency_fails": pick(["fail", "fail", "skip", "run"]),
            }
            for number in range(1, self.random.randint(2, 8))
        )
        task_request = services.TaskRequest(
            name="machine",
            sub_tasks=sub_tasks,
            total_budget=pick([2_000, 8_000, 50_000]),
            reserve_percent=pick([0, 20]),
            soft_limit_percent=pick([None, None, 50]),
            max_concurrent=self.random.randint(1, 4),
            max_retries=self.random.randint(0, 2),
            retry_on_failure=pick([True, False]),
            timeout=8_000,
        )
        self.unless_refused(services.submit, agent="ada", request=task_request)

    # --- Workers -------------------------------------------------------------------------------

    def work(self) -> None:
        """Begin what can begin; each sub-agent is lent its tokens and uses some."""
        self.now += timedelta(seconds=self.random.randint(0, 4))
        most = self.random.randint(1, 5)
        begun = services.claim(worker=self.random.choice(WORKERS), most=most, now=self.now)
        assert len(begun) <= most
        for task in Task.objects.filter(pk__in={attempt.task_id for attempt in begun}):
            assert self.running().filter(task=task).count() <= task.max_concurrent
        for attempt in begun:
            self.spend(attempt)

    def spend_more(self) -> None:
        """One of those that run uses more."""
        if attempt := self.one_of(self.running()):
            self.spend(attempt)

    def spend(self, attempt: Attempt) -> None:
        """Lend, which twice is once, and use some of what is left."""
        try:
            work = services.lend(attempt, now=self.now)
        except Failed as failed:
            assert failed.kind == "no_capacity"
            return
        attempt.refresh_from_db()
        allocation = attempt.allocation
        assert (work.tokens, allocation.session_id) == (attempt.tokens, attempt.session_id)
        percent = self.random.choice([0, 10, 50, 90, 100])
        if tokens := allocation.left * percent // 100:
            report(allocation, tokens, now=self.now)

    def finish(self) -> None:
        """An attempt ends; an outdated fence and a second outcome have no effect."""
        if not (attempt := self.one_of(self.running())):
            return
        kind = self.random.choice(["", "", "", *FAILURES]) if self.random.random() < 0.7 else ""
        status = "failed" if kind else "succeeded"
        ended = services.AttemptOutcome(
            attempt.pk, attempt.fence, status, text="done", kind=kind, says=kind
        )
        late = services.AttemptOutcome(attempt.pk, attempt.fence - 1, "succeeded", text="late")
        assert services.finish_many([late], now=self.now) == [False]
        assert services.finish_many([ended], now=self.now) == [True]
        assert services.finish_many([ended], now=self.now) == [False]

    def die(self) -> None:
        """Time passes in which only one worker lives; it takes over what the other lost."""
        self.now += timedelta(seconds=self.random.choice([5, 20, 200]))
        alive = self.random.choice(WORKERS)
        services.renew_leases(worker=alive, now=self.now)
        taken = services.take_over(worker=alive, most=100, now=self.now)
        assert all(attempt.worker == alive and attempt.fence > 1 for attempt in taken)
        assert not self.running().filter(leased_until__lte=self.now).exists()

    def finalize(self) -> None:
        """Write down what was used; nothing is held here, so nothing is left over."""
        services.finalize(now=self.now)
        assert not Attempt.objects.filter(finalized_at=None).exclude(status="running").exists()

    def wait(self) -> None:
        """Time passes; what took too long ends."""
        self.now += timedelta(minutes=self.random.choice([1, 10, 60]))
        services.sweep(now=self.now)

    # --- People --------------------------------------------------------------------------------

    def steer(self) -> None:
        """Somebody steers a task."""
        verb = self.random.choice(
            ["pause", "resume", "resume", "retry_failed", "retry_failed", "cancel"]
        )
        if task := self.one_of(Task.objects.all()):
            actor = GRACE
            self.unless_refused(getattr(services, verb), task_id=task.pk, actor=actor)

    def steer_part(self) -> None:
        """Somebody skips, refuses or retries a part, or raises the budget of its task."""
        if not (part := self.one_of(SubTask.objects.filter(position__gt=0))):
            return
        about = {"task_id": part.task_id, "actor": GRACE}
        what = self.random.choice(["skip", "refuse", "retry", "raise"])
        if what == "skip":
            self.unless_refused(services.skip, key=part.key, **about)
        elif what == "refuse":
            self.unless_refused(services.refuse, key=part.key, reason="no", **about)
        elif what == "retry":
            self.unless_refused(services.retry_failed, key=part.key, **about)
        else:
            more = self.random.choice([500, 20_000])
            self.unless_refused(services.raise_budget, additional_budget=more, **about)

    def approve(self) -> None:
        """Somebody approves what waits for that."""
        if gated := self.one_of(SubTask.objects.filter(status="gated")):
            services.approve(task_id=gated.task_id, key=gated.key, actor=ACTOR, now=self.now)

    # --- What else -----------------------------------------------------------------------------

    def bring_to_an_end(self) -> None:
        """All that is left can be ended, and every token is finalized."""
        for task in Task.objects.exclude(status__in=Task.ENDED):
            services.cancel(task_id=task.pk, actor=ACTOR, now=self.now)
        for attempt in self.running():
            ended = services.AttemptOutcome(
                attempt.pk, attempt.fence, "cancelled", kind="cancelled"
            )
            services.finish_many([ended], now=self.now)
        services.finalize(now=self.now)
        assert not Task.objects.exclude(status__in=Task.ENDED).exists()
        assert not Task.objects.filter(lent__gt=0).exists()
        assert_tasks_balance()

    def running(self):
        """Attempts that run."""
        return Attempt.objects.filter(status="running").select_related("task", "sub_task")

    def one_of(self, rows):
        """Any of them; None when there is none."""
        found = list(rows.order_by("pk"))
        return self.random.choice(found) if found else None

    def unless_refused(self, service, **arguments) -> None:
        """Call; a refusal is an answer."""
        try:
            service(**arguments, now=self.now)
        except Refusal:
            return


_MORE = os.environ.get("BUTLER_MACHINE_EXAMPLES")


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=int(_MORE or 6),
    derandomize=not _MORE,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_tasks_balance_whatever_happens(seed):
    orchestra = Orchestra(seed)
    orchestra.play()
    assert Attempt.objects.exists()
