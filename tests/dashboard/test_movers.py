"""Who spent more than usual in the last seven days, and why."""

from datetime import date, timedelta
from decimal import Decimal

from dashboard.overview.movers import movers
from keys.books.queries.spend import Spend, SpendPeriod

TODAY = date(2026, 11, 26)
DAY = timedelta(days=1)


def period(days_ago, agent, cost, *, calls=10, tokens=1000):
    return SpendPeriod(
        TODAY - days_ago * DAY, agent, Spend(calls=calls, tokens=tokens, cost=Decimal(cost))
    )


def steady(agent, *, first=27, last=7, **changes):
    """A dollar on each of the days before the last seven."""
    return [period(days_ago, agent, 1, **changes) for days_ago in range(last, first + 1)]


def week(agent, cost, **changes):
    return [period(days_ago, agent, cost, **changes) for days_ago in range(7)]


def test_an_agent_that_spends_as_always_is_no_mover():
    assert movers([*steady("ada"), *week("ada", 1)], today=TODAY) == []


def test_more_calls_are_the_reason():
    [ada] = movers([*steady("ada"), *week("ada", 3, calls=30, tokens=3000)], today=TODAY)
    assert (ada.agent, ada.cost, ada.more) == ("ada", 21, 14)
    assert ada.reason == "3.0 times as many calls as usual."


def test_larger_calls_are_the_reason():
    [ada] = movers([*steady("ada"), *week("ada", 2, tokens=2000)], today=TODAY)
    assert ada.reason == "2.0 times the tokens in a call."


def test_dearer_tokens_are_the_reason():
    [ada] = movers([*steady("ada"), *week("ada", 4)], today=TODAY)
    assert ada.reason == "4.0 times the cost of a token."


def test_who_spent_nothing_before_is_said_to_be_new():
    found = movers([*steady("ada"), *week("ada", 1), *week("bob", 1)], today=TODAY)
    assert [(each.agent, each.more) for each in found] == [("bob", 7)]
    assert found[0].reason == "It spent nothing in the three weeks before."


def test_calls_that_cost_nothing_before_are_a_reason():
    before = [period(each.starts.day % 7 + 7, "bob", 0) for each in week("bob", 0)]
    found = movers([*steady("ada"), *before, *week("bob", 1)], today=TODAY)
    assert [each.reason for each in found] == ["Its calls have a cost now."]


def test_the_largest_rise_is_first_and_its_peak_is_named():
    bob = [*steady("bob"), *week("bob", 2, calls=20, tokens=2000), period(2, "bob", 50)]
    ada = [*steady("ada"), *week("ada", 2, calls=20, tokens=2000)]
    found = movers([*ada, *bob], today=TODAY)
    assert [each.agent for each in found] == ["bob", "ada"]
    assert found[0].peak == TODAY - 2 * DAY


def test_a_small_rise_is_no_news():
    many = [*steady("ada"), *week("ada", Decimal("1.1"), calls=11)]
    little = [*steady("big", first=27), *week("big", 1000), *steady("bob"), *week("bob", 2)]
    assert movers(many, today=TODAY) == []
    assert [each.agent for each in movers(little, today=TODAY)] == ["big"]


def test_without_three_weeks_of_history_nobody_is_a_mover():
    assert movers([*steady("ada", first=19), *week("ada", 9)], today=TODAY) == []
    assert movers([], today=TODAY) == []
