"""Spend by time and by who used it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from keys.books.queries.spend import (
    SpendFilter,
    spend_by,
    spend_columns,
    spend_over_time,
    spend_total,
)
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
TODAY = SpendFilter(NOON - 12 * HOUR, NOON + 12 * HOUR)


@pytest.fixture
def usage(people):
    add_key("openai-1", rates=PAID, provider="openai")
    ada, carol = allocate("ada"), allocate("carol")
    settle(hold(ada, 200), 100)
    adjust(report(ada, 50, now=NOON + HOUR), 40, now=NOON + 2 * HOUR)
    report(carol, 7)


def test_total(usage):
    total = spend_total(TODAY)
    assert (total.calls, total.tokens, total.input_tokens) == (3, 147, 147)
    assert total.cost == 147 * PAID.input / 1000
    assert_books_balance()


def test_groups(usage):
    def tokens(by, **options):
        return {each.group: each.spend.tokens for each in spend_by(TODAY, by=by, **options)}

    assert tokens("agent") == {"ada": 140, "carol": 7}
    assert tokens("provider") == {"openai": 147}
    assert tokens("cost_centre") == {"research": 140, "sales": 7}
    assert tokens("centre_at") == {"org": 147}
    assert tokens("centre_at", within_centre="org") == {"research": 140, "sales": 7}
    assert tokens("centre_at", within_centre="sales") == {"sales": 7}
    assert tokens("model") == {"model-1": 147}
    assert tokens("label") == {"": 147}


def test_periods(usage):
    hours = spend_over_time(TODAY, step="hour", zone=ZoneInfo("Asia/Kathmandu"))
    assert [(each.starts, each.spend.tokens) for each in hours] == [
        (NOON - HOUR * 3 / 4, 107),
        (NOON + HOUR / 4, 40),
    ]
    days = spend_over_time(TODAY, step="day", zone=ZoneInfo("Pacific/Chatham"), by="agent")
    assert {(str(each.starts), each.group, each.spend.tokens) for each in days} == {
        ("2026-03-11", "ada", 140),
        ("2026-03-11", "carol", 7),
    }


def test_columns_have_the_groups_that_are_shown_and_all_others_as_one(usage):
    def columns(shown, step="day"):
        found = spend_columns(TODAY, step=step, zone=ZoneInfo("UTC"), by="agent", shown=shown)
        return {(str(each.starts), each.group, each.calls, each.tokens) for each in found}

    assert columns(["ada", "carol"]) == {
        ("2026-03-10", "ada", 2, 140),
        ("2026-03-10", "carol", 1, 7),
    }
    assert columns(["carol"]) == {("2026-03-10", None, 2, 140), ("2026-03-10", "carol", 1, 7)}
    assert columns([], step="month") == {("2026-03-01", None, 3, 147)}


def test_filters(usage):
    def tokens(**filters):
        return spend_total(TODAY._replace(**filters)).tokens

    assert tokens(agents=("ada",)) == 140
    assert tokens(cost_centres=("org",)) == 147
    assert tokens(within=("sales",)) == 7
    assert tokens(within=()) == 0
    assert tokens(models=("model-1",)) == 147
    assert tokens(models=("model-2",)) == 0
    assert tokens(since=NOON + HOUR) == 40
    with pytest.raises(ValueError, match="quarter"):
        tokens(since=NOON + HOUR / 7)
