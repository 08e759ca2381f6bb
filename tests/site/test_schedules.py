"""Schedules of the queue: what the list says, and each job runs."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from butler_site import schedules
from tests.moments import NOON
from tests.queue import drain_queue


@pytest.mark.django_db
def test_installing_twice_is_once_and_keeps_the_next_run():
    assert schedules.install(now=NOON) == (len(schedules.JOBS), 0, 0)
    assert schedules.install(now=NOON + timedelta(hours=1)) == (0, 0, 0)
    assert {row.next_run for row in Schedule.objects.all()} == {NOON}


@pytest.mark.django_db
def test_changes_of_the_list_are_applied_and_what_left_it_is_removed():
    schedules.install(now=NOON)
    own = Schedule.objects.create(name="mine", func="math.floor", args="1.5")
    Schedule.objects.filter(func="keys.jobs.expire").update(repeats=0)
    jobs = (schedules.Job("keys.jobs.expire", 1), schedules.Job("keys.jobs.turn_windows", 5))
    assert schedules.install(now=NOON, jobs=jobs) == (0, 2, len(schedules.JOBS) - 2)
    rows = set(Schedule.objects.exclude(pk=own.pk).values_list("func", "minutes", "repeats"))
    assert rows == {("keys.jobs.expire", 1, -1), ("keys.jobs.turn_windows", 5, -1)}
    assert Schedule.objects.filter(pk=own.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_every_scheduled_job_is_queued_and_succeeds():
    call_command("install_schedules", verbosity=0)
    scheduler()
    assert OrmQ.objects.count() == len(schedules.JOBS)
    done = drain_queue()
    assert {task["func"] for task in done} == {job.func for job in schedules.JOBS}
    assert all(task["success"] for task in done), done
