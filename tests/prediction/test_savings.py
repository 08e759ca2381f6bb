"""What could have been saved: intervals, costs per success, advice; what is kept of it."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from bench import savings as bench
from keys.refusals import WrongValue
from prediction import services as prediction
from prediction.models import Saving, SavingKind
from prediction.savings.caching import InputRates, Quarter, caching
from prediction.savings.cheaper import Advice, Month, cheaper, compare
from prediction.savings.costs import Arm, cost_per_success, draws
from prediction.savings.intervals import Interval, newcombe, wilson
from prediction.savings.portions import Proposal, total_once
from prediction.services import FoundSaving, SavingClosed
from security.models import AuditEntry
from tests.actors import GRACE
from tests.moments import NOON


def arm(tries, failures, cost=1.0):
    """An arm whose costs go from half to one and a half of `cost`."""
    succeeded = np.ones(tries)
    succeeded[:failures] = 0
    return Arm(cost * np.linspace(0.5, 1.5, tries), np.random.default_rng(1).permutation(succeeded))


def month(of):
    return Month(float(of.costs.sum()), of.successes)


def test_shares_of_success_have_the_intervals_of_the_books():
    # Newcombe 1998: table I, 81 of 263; table II, 56 of 70 and 48 of 80, 9 of 10 and 3 of 10.
    assert wilson(81, 263).low == pytest.approx(0.2553, abs=1e-4)
    assert wilson(81, 263).high == pytest.approx(0.3662, abs=1e-4)
    found = newcombe(wilson(56, 70), wilson(48, 80))
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    found = newcombe(wilson(9, 10), wilson(3, 10))
    assert (found.low, found.high) == pytest.approx((0.1705, 0.8090), abs=1e-4)
    assert wilson(10, 10).high == 1
    assert wilson(0, 10).low == 0


def test_a_success_costs_what_was_spent_also_in_vain():
    found = cost_per_success(draws(arm(100, 20)), confidence=0.95)
    assert found.estimate == pytest.approx(100 / 80)
    assert found.low < found.estimate < found.high < 1.6


def test_what_is_as_good_and_cheaper_is_advised_and_nothing_else():
    dear, cheap = arm(800, 8, cost=1.0), arm(700, 7, cost=0.5)
    [found] = cheaper({"dear": dear, "cheap": cheap}, {"dear": month(dear), "cheap": month(cheap)})
    assert (found.base, found.other, found.comparison.advice) == ("dear", "cheap", Advice.SWITCH)
    assert found.comparison.amount.estimate == pytest.approx(400, rel=0.01)
    # Too few to know that it is as good: it is worth trying out.
    few = arm(60, 1, cost=0.5)
    assert compare(dear, few, month(dear)).advice is Advice.EXPERIMENT
    # Clearly worse, although a success costs less.
    assert compare(dear, arm(700, 60, cost=0.5), month(dear)).advice is None
    # As dear; or so little that it is not worth a word.
    assert compare(dear, arm(700, 7, cost=1.0), month(dear)).advice is None
    assert compare(dear, cheap, Month(0.5, 1)).advice is None


def test_what_was_tried_too_little_is_left_out():
    dear = arm(800, 8)
    for other in (arm(29, 0, cost=0.1), arm(40, 31, cost=0.1)):
        arms = {"dear": dear, "other": other}
        assert cheaper(arms, {name: month(each) for name, each in arms.items()}) == []


def test_a_fleet_with_a_best_choice_finds_it_and_one_without_is_left_alone():
    better, alike = bench.FLEETS[2], bench.FLEETS[4]
    found = bench.score(better, 8)
    assert found.switch >= 50
    assert found.covered >= 75
    assert found.wrong == 0
    assert bench.score(alike, 8).wrong <= 12.5


DOLLAR = InputRates(1e-6, 1e-7, 1e-6)


def quarters(count, *, repeated, cached=0.0, seed=1):
    """Quarters of an hour of which a share of the input is repeated, more or less."""
    dice = np.random.default_rng(seed)
    made = []
    for calls in dice.integers(5, 40, size=count):
        given = int(calls * dice.lognormal(9, 0.5))
        again = int(given * np.clip(repeated + dice.normal(0, 0.1), 0, 1)) if repeated else 0
        read = int(again * cached)
        made.append(Quarter(int(calls), given, again, read, again - read, given - again))
    return made


def test_repeated_input_that_is_not_read_from_a_cache_is_worth_the_difference_of_rates():
    found = caching(quarters(60, repeated=0.7), DOLLAR, month_tokens=1e9)
    # 0.7 of 1,000 USD at 0.9 of the price.
    assert found.amount.low < 630 < found.amount.high
    assert found.amount.high - found.amount.low < 60
    assert found.repeated == pytest.approx(0.7, abs=0.05)
    half = caching(quarters(60, repeated=0.7, cached=0.5), DOLLAR, month_tokens=1e9)
    assert half.cached == pytest.approx(0.5, abs=0.01)
    assert half.amount.estimate == pytest.approx(found.amount.estimate / 2, rel=0.01)


def test_the_interval_of_caching_holds_in_95_of_100_samples():
    truth = caching(quarters(4_000, repeated=0.6, seed=0), DOLLAR, month_tokens=1e9)
    covered = 0
    for seed in range(1, 201):
        found = caching(quarters(12, repeated=0.6, seed=seed), DOLLAR, month_tokens=1e9)
        covered += found.amount.low <= truth.amount.estimate <= found.amount.high
    assert covered >= 180


def test_where_a_cache_saves_nothing_nothing_is_said():
    enough = quarters(60, repeated=0.7)
    assert caching(enough[:9], DOLLAR, month_tokens=1e9) is None
    assert caching([Quarter(1, 9, 9, 0, 9, 0)] * 60, DOLLAR, month_tokens=1e9) is None
    assert caching(enough, InputRates(1e-6, 1e-6, 1e-6), month_tokens=1e9) is None
    assert caching(quarters(60, repeated=0), DOLLAR, month_tokens=1e9).amount.high == 0
    # All that repeats is read from the cache.
    assert caching(quarters(60, repeated=0.7, cached=1), DOLLAR, month_tokens=1e9).amount.high == 0
    # What is written costs a quarter more: with little that repeats, more than is saved.
    written = InputRates(1e-6, 1e-7, 1.25e-6)
    assert caching(quarters(60, repeated=0.1), written, month_tokens=1e9).amount.low == 0
    assert caching(enough, written, month_tokens=1e9).amount.estimate == pytest.approx(
        0.9 * 700 - 0.25 * 300, rel=0.05
    )


def saves(amount, **spent):
    return Proposal(Decimal(amount), spent)


@pytest.mark.parametrize(
    ("proposals", "total"),
    [
        ([], 0),
        ([saves(3)], 3),
        ([saves(3), saves(3)], 6),
        ([saves(3, a=4.0), saves(2, b=4.0)], 5),
        # The whole of what failed, and three quarters of all: of what failed, the whole.
        ([saves(30, ok=30.0, failed=10.0), saves(10, failed=10.0)], Decimal("32.5")),
        ([saves(9, a=10.0), saves(4, a=10.0), saves(6, a=5.0, b=5.0)], 12),
        ([saves(1, a=0.0)], 1),
    ],
)
def test_several_proposals_about_one_portion_count_once(proposals, total):
    assert total_once(proposals) == total
    assert total_once(reversed(proposals)) == total


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1e6), min_size=1).flatmap(
            lambda spent: st.floats(0, 1).map(lambda share: (spent, share))
        )
    )
)
def test_a_sum_is_never_more_than_was_spent_nor_less_than_one_of_them(drawn):
    most = {}
    for spent, _ in drawn:
        for name, cost in spent.items():
            most[name] = max(cost, most.get(name, 0))
    proposals = [Proposal(Decimal(share * sum(spent.values())), spent) for spent, share in drawn]
    total = total_once(proposals)
    assert float(total) <= sum(most.values()) * (1 + 1e-9) + 1e-9
    assert (
        float(total)
        >= max((float(each.amount) for each in proposals), default=0) * (1 - 1e-9) - 1e-9
    )


SEEN = Interval(5, 10, 20)


def found(subject="agent:ada", amount=SEEN):
    return FoundSaving(
        kind=SavingKind.CHEAPER,
        subject=subject,
        advice=Saving.Advice.SWITCH,
        amount=amount,
        words="It costs less.",
        cost_centre="research",
    )


def keep(*savings, days=0):
    at = NOON + timedelta(days=days)
    return prediction.keep_savings(savings, kinds=[SavingKind.CHEAPER], now=at)


def statuses():
    return dict(Saving.objects.values_list("subject", "status"))


SAYS = {"reason": "the lawyers want it", "actor": GRACE, "now": NOON}


@pytest.mark.django_db
def test_what_is_found_is_kept_once_and_goes_when_it_is_not_found():
    assert keep(found(), found("agent:bob")) == 2
    assert keep(found(amount=Interval(6, 11, 21)), days=1) == 0
    assert statuses() == {"agent:ada": "open", "agent:bob": "gone"}
    row = Saving.objects.get(subject="agent:ada")
    assert (row.amount, row.found_at) == (11, NOON)
    assert keep(found(), found("agent:bob"), days=2) == 1
    assert statuses() == {"agent:ada": "open", "agent:bob": "open"}


@pytest.mark.django_db
def test_what_is_dismissed_stays_away_until_it_is_told_again():
    keep(found())
    row = Saving.objects.get()
    with pytest.raises(WrongValue):
        prediction.dismiss_saving(row.pk, **{**SAYS, "reason": " "})
    assert prediction.dismiss_saving(row.pk, **SAYS)[1]
    assert not prediction.dismiss_saving(row.pk, **SAYS)[1]
    keep(found(), days=1)
    keep(days=2)
    keep(found(), days=90)
    assert statuses() == {"agent:ada": "dismissed"}
    assert prediction.tell_saving_again(row.pk, **SAYS)[1]
    assert not prediction.tell_saving_again(row.pk, **SAYS)[1]
    assert statuses() == {"agent:ada": "open"}
    actions = AuditEntry.objects.filter(action__startswith="saving.").order_by("pk")
    assert list(actions.values_list("action", "reason", "subjects")) == [
        ("saving.dismiss", "the lawyers want it", ["agent:ada"]),
        ("saving.tell_again", "the lawyers want it", ["agent:ada"]),
    ]


@pytest.mark.django_db
def test_what_was_followed_is_told_again_only_a_month_later():
    keep(found())
    row = Saving.objects.get()
    prediction.follow_saving(row, **SAYS)
    with pytest.raises(SavingClosed):
        prediction.dismiss_saving(row.pk, **SAYS)
    with pytest.raises(SavingClosed):
        prediction.follow_saving(row, **SAYS)
    assert keep(found(), days=20) == 0
    assert statuses() == {"agent:ada": "done"}
    assert keep(found(), days=32) == 1
    assert statuses() == {"agent:ada": "open"}


@pytest.mark.django_db
def test_an_amount_outside_of_its_interval_is_refused_by_the_database():
    with pytest.raises(IntegrityError, match="saving_amount_is_within_its_interval"):
        keep(found(amount=Interval(5, 4, 6)))
