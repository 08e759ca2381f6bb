"""The nightly books check: when it is due, what is kept of it, and who is told."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django_q.models import OrmQ
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage

from alerts.models import Alert
from butler_site import schedules
from keys import jobs
from keys import services as keys
from keys.books.queries.books_check import CHECKS, books_check
from keys.models import BooksCheck
from tests.actors import ACTOR
from tests.keys.builders import add_key, allocate, report

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NIGHT = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)


def check(at):
    """What the job does at this moment; the run, if one was due."""
    if begun := keys.begin_books_check(now=at):
        keys.finish_books_check(begun, books_check(), now=at + timedelta(minutes=1))
    return begun


def open_alerts():
    about_checks = Alert.objects.unresolved().filter(kind__startswith="books_")
    return set(about_checks.values_list("kind", flat=True))


def test_the_books_are_checked_once_a_night(people):
    assert check(NIGHT - HOUR).night == date(2026, 3, 9)
    assert check(NIGHT - timedelta(minutes=1)) is None
    run = check(NIGHT)
    assert (run.night, run.attempt) == (date(2026, 3, 10), 1)
    assert check(NIGHT + 23 * HOUR) is None
    run.refresh_from_db()
    assert run.is_balanced
    # Also those of apps above.
    assert run.checks == len(books_check()) > len(CHECKS)
    assert run.finished_at == NIGHT + timedelta(minutes=1)
    assert open_alerts() == set()


@pytest.mark.parametrize("month", [3, 10])
def test_every_night_has_one_check_when_clocks_change(people, month):
    keys.change_organisation(reporting_zone="Europe/Berlin", actor=ACTOR, reason="home", now=NIGHT)
    first = datetime(2026, month, 20, 12, 0, tzinfo=UTC)
    nights = [
        run.night
        for hour in range(14 * 24)
        if (run := keys.begin_books_check(now=first + hour * HOUR))
        and BooksCheck.objects.filter(pk=run.pk).update(finished_at=run.begun_at, checks=1)
    ]
    assert nights == [date(2026, month, 20) + timedelta(days=day) for day in range(len(nights))]
    assert len(nights) == 15


def test_a_run_that_was_killed_is_never_balanced_and_begins_again(people):
    killed = keys.begin_books_check(now=NIGHT)
    assert not killed.is_balanced
    assert check(NIGHT + HOUR / 2) is None, "it may still run"
    assert open_alerts() == set()
    second = keys.begin_books_check(now=NIGHT + HOUR)
    assert (second.night, second.attempt) == (killed.night, 2)
    assert open_alerts() == {"books_unchecked"}
    assert check(NIGHT + 2 * HOUR).attempt == 3
    assert open_alerts() == set()
    killed.refresh_from_db()
    assert not killed.is_balanced


def test_a_check_that_never_finishes_is_begun_three_times_a_night(people):
    begun = [keys.begin_books_check(now=NIGHT + hour * HOUR) for hour in range(24)]
    assert [run.attempt for run in begun if run] == [1, 2, 3]
    assert keys.begin_books_check(now=NIGHT + 24 * HOUR).attempt == 1


def test_what_is_found_is_kept_and_told_until_it_is_gone(people):
    add_key("nvidia-1")
    report(allocate(), 900)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_usageslice SET estimated_cost = estimated_cost + 1")
    run = check(NIGHT)
    run.refresh_from_db()
    assert not run.is_balanced
    [found] = run.findings
    assert found["check"] == "7 slices-of-charges"
    assert found["count"] == 1
    assert found["rows"][0]["key"] == "nvidia-1"
    alert = Alert.objects.unresolved().get(kind="books_broken")
    assert alert.facts == {"books_check": run.pk}
    assert "7 slices-of-charges: 1 rows" in alert.detail
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_usageslice SET estimated_cost = estimated_cost - 1")
    check(NIGHT + 24 * HOUR)
    assert open_alerts() == set()


def test_runs_are_kept_for_90_days(people):
    old, kept, new = (check(NIGHT + timedelta(days=days)) for days in (0, 2, 91))
    assert set(BooksCheck.objects.all()) == {kept, new}
    assert old not in BooksCheck.objects.all()


@pytest.mark.django_db(transaction=True)
def test_of_processes_that_begin_at_once_one_wins(people, at_once):
    begun = at_once(lambda _: keys.begin_books_check(now=NIGHT), times=4)
    assert len([run for run in begun if run]) == 1
    assert BooksCheck.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_job_has_an_hour_and_a_second_delivery_of_it_does_nothing(people):
    schedules.install(now=NIGHT)
    # Not on the day that the test runs: the scheduler counts every minute from then to now.
    with time_machine.travel(NIGHT + HOUR, tick=False):
        scheduler()
    entries = [SignedPackage.loads(entry.payload) for entry in OrmQ.objects.all()]
    [entry] = [each for each in entries if each["func"] == "keys.jobs.check_books"]
    assert entry["timeout"] == keys.BOOKS_CHECK_SECONDS_MAX == 3600
    jobs.check_books()
    jobs.check_books()
    assert BooksCheck.objects.count() == 1
