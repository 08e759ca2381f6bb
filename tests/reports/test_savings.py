"""Savings of the last 30 days are found in the rows, and followed by a priority."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.models import RepeatedInput
from keys import services as keys
from keys.models import Allocation, ApiKey
from keys.refusals import WrongValue
from keys.supply.pricing import Rates
from orchestration.models import SubTask
from prediction.models import Saving
from prediction.queries.savings import savings_total
from prediction.services import SavingClosed
from reports import services as reports
from security.models import AuditEntry
from tests.actors import GRACE
from tests.keys.builders import add_key, allocate, report
from tests.moments import NOON
from tests.reports.savings import tried

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(days=1)
SAYS = {"actor": GRACE, "reason": "as good", "now": LATER}


def rates(cost):
    return Rates(input=Decimal(cost), output=Decimal(cost))


@pytest.fixture
def fleet(people):
    """A dear key that is lent first, and a cheap one."""
    add_key("dear-1", rates=rates("0.003"), priority=5, per_day=None)
    add_key("cheap-1", rates=rates("0.001"), provider="other", per_day=None)


def find(now=LATER):
    return reports.find_savings(now=now)


def test_a_key_that_is_as_good_and_cheaper_is_found_and_lent_first(fleet):
    tried("dear-1", 160)
    tried("cheap-1", 160, cost=0.4)
    assert find() == 1
    assert find() == 1
    row = Saving.objects.get()
    assert (row.kind, row.subject, row.cost_centre) == ("cheaper", "agent:ada", "research")
    assert row.amount == pytest.approx(Decimal(96), abs=1)
    assert row.amount_low < row.amount < row.amount_high
    assert "100.0 % (97.7 to 100.0) of 160 first attempts" in row.words
    _, key = reports.prefer_key(row.pk, **SAYS)
    assert (key.pk, key.priority) == ("cheap-1", 6)
    actions = AuditEntry.objects.filter(reason="as good").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["saving.follow", "key.change"]
    with pytest.raises(SavingClosed):
        reports.prefer_key(row.pk, **SAYS)
    assert find(LATER + timedelta(hours=1)) == 0


@pytest.mark.parametrize(
    "cheap",
    [
        # A second attempt comes after a failure.
        {"number": 2},
        {"failures": 20},
        {"cost": 1},
    ],
)
def test_what_is_not_comparable_or_not_as_good_is_not_advised(fleet, cheap):
    tried("dear-1", 160)
    tried("cheap-1", 160, **{"cost": 0.4, **cheap})
    assert find() == 0


def test_a_model_that_the_request_chose_is_worth_a_trial_only(fleet):
    # Perhaps for easier work.
    tried("dear-1", 160)
    tried("cheap-1", 160, cost=0.4, model="model-1")
    assert find() == 1
    row = Saving.objects.get()
    assert (row.advice, row.detail) == ("experiment", "model: no named model → model-1 of other")
    assert row.amount == pytest.approx(Decimal(96), abs=1)


def test_a_key_that_is_off_is_not_proposed_and_old_work_does_not_count(fleet):
    tried("dear-1", 160)
    tried("cheap-1", 160, cost=0.4)
    keys.set_key_status("cheap-1", status="inactive", **SAYS)
    assert find() == 0
    keys.set_key_status("cheap-1", status="active", **SAYS)
    assert find(NOON + timedelta(days=31)) == 0


def test_a_key_that_is_lent_first_already_keeps_its_priority(fleet):
    tried("dear-1", 160)
    tried("cheap-1", 160, cost=0.4)
    find()
    ApiKey.objects.filter(pk="cheap-1").update(priority=9)
    assert reports.prefer_key(Saving.objects.get().pk, **SAYS)[1].priority == 9


def test_failed_attempts_that_were_tried_again_are_told_with_their_exact_cost(fleet):
    tried("dear-1", 22, failures=22)
    assert find() == 0
    SubTask.objects.filter(status="failed").update(attempts_made=2)
    assert find() == 1
    row = Saving.objects.get()
    assert (row.kind, row.detail) == ("retries", "model: failed")
    assert row.amount == row.amount_low == row.amount_high == 22
    assert row.words.startswith("22 attempts of ada with the runner model failed (failed)")


def test_a_key_that_nobody_used_for_a_month_is_paused_by_a_person(fleet):
    ApiKey.objects.update(created_at=NOON - timedelta(days=60))
    tried("dear-1", 1)
    assert find() == 1
    row = Saving.objects.get()
    assert (row.kind, row.subject, row.amount) == ("idle_key", "key:cheap-1", 0)
    _, key = reports.pause_key(row.pk, **SAYS)
    assert key.status == "inactive"
    with pytest.raises(SavingClosed):
        reports.pause_key(row.pk, **SAYS)
    with pytest.raises(WrongValue):
        reports.pause_key(0, **SAYS)
    assert find(LATER + timedelta(hours=1)) == 0


def test_budgets_of_which_little_is_used_are_told_as_locked_not_as_spent(fleet):
    tried("dear-1", 40, cost=0)
    Allocation.objects.update(closed_at=NOON + timedelta(hours=18), allocated_cost=10)
    assert find() == 1
    row = Saving.objects.get()
    assert (row.kind, row.subject) == ("oversize", "agent:ada")
    # 41 budgets of 10 USD for 18 of 720 hours.
    assert row.amount == pytest.approx(Decimal(41 * 10 * 18 / 720), abs=Decimal("0.01"))
    assert "Nothing is spent by that" in row.words
    Allocation.objects.update(used=15_000)
    assert find(LATER + timedelta(hours=1)) == 0
    assert Saving.objects.get().status == "gone"


def sampled(count, **changes):
    """Quarters of an hour in which ada's calls on the dear key were looked at."""
    for n in range(count):
        RepeatedInput.objects.create(
            **{
                "starts_at": NOON - timedelta(hours=n),
                "agent": "ada",
                "api_key": "dear-1",
                "model": "model-1",
                "calls": 20,
                "input_tokens": 100_000 + n,
                "repeated_tokens": 80_000,
                "missed_tokens": 80_000,
                "fresh_tokens": 20_000,
                **changes,
            }
        )


def test_repeated_input_is_told_with_what_to_change_and_counted_with_other_proposals_once(fleet):
    terms = {"cached": Decimal("0.0003")}
    add_key("cached-1", rates=replace(rates("0.003"), **terms), provider="third", per_day=None)
    report(allocate(tokens=2_000_000, provider="third", now=NOON), 1_000_000)
    sampled(12, api_key="cached-1")
    assert find() == 1
    row = Saving.objects.get()
    assert (row.kind, row.subject, row.detail) == ("caching", "agent:ada", "cached-1, model-1")
    # 0.8 of 3 USD, at nine tenths.
    assert row.amount == pytest.approx(Decimal("2.16"), abs=Decimal("0.001"))
    assert "80% of the input had been sent in the five minutes before" in row.words
    assert "with nothing before it that changes" in row.words
    assert sum(row.spent.values()) == pytest.approx(3)
    # A month later nothing is known any more.
    assert find(LATER + timedelta(days=45)) == 0
    assert not RepeatedInput.objects.exists()


def test_a_provider_without_a_cheaper_rate_or_without_spend_is_not_told(fleet):
    sampled(12)
    assert find() == 0


def test_failed_attempts_of_a_dear_key_are_not_counted_with_the_cheaper_one(fleet):
    tried("dear-1", 1_000, failures=30)
    tried("cheap-1", 1_000, failures=30, cost=0.25)
    SubTask.objects.filter(status="failed").update(attempts_made=2)
    assert find() == 2
    switch, failed = Saving.objects.all()
    assert (switch.kind, failed.kind) == ("cheaper", "retries")
    # The attempts that failed: 30 of the dear key cost a dollar each, those of the cheap one a
    # quarter, and their work is not moved.
    assert failed.amount == pytest.approx(Decimal("37.4"), abs=Decimal("0.3"))
    spent = sum(map(Decimal, switch.spent.values()))
    assert spent == pytest.approx(Decimal(1_000), abs=1)
    of_failed = switch.amount * Decimal(
        switch.spent["ada|model|dear-1|model-1|||1 failed repeated"]
    )
    expected = switch.amount + failed.amount - of_failed / spent
    assert savings_total(Saving.objects.all()) == pytest.approx(expected, abs=Decimal("1e-6"))
    assert savings_total([failed]) == failed.amount
