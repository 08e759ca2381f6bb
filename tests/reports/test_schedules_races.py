"""Many jobs find the same report due at the same moment."""

import pytest
from django.contrib.auth import get_user_model

from reports import services as reports
from reports.models import ReportRun
from tests.actors import ACTOR
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_report_that_is_due_has_one_run_and_one_job(at_once):
    owner = get_user_model().objects.create_user("fay", "fay@example.org", is_staff=True)
    terms = {"name": "spend", "table": "spend", "path": "/spend", "file_format": "csv"}
    schedule = reports.add_schedule(
        owner=owner,
        persons=[owner],
        terms=terms | {"frequency": "daily", "hour": 7},
        actor=ACTOR,
        now=NOON,
    )
    now = schedule.next_at
    assert sum(at_once(lambda _: reports.open_due_runs(now=now), times=10)) == 1
    run = ReportRun.objects.get()
    claims = at_once(lambda _: reports.claim_run(run.pk, now=now), times=10)
    assert sum(claim is not None for claim in claims) == 1
    assert run.deliveries.count() == 1
