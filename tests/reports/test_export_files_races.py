"""Requests and jobs for one file at the same moment; the real queue makes it."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_q.models import OrmQ

from dashboard import exports, tables, urls  # noqa: F401 - the pages register their tables
from dashboard.tables import Column, Table
from reports import queries
from reports import services as reports
from reports.models import ExportFile
from reports.services.export_files import OPEN_MAX
from tests.actors import GRACE
from tests.dashboard.workbooks import sheets
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 8


@pytest.fixture
def owner():
    return get_user_model().objects.create_superuser("vera")


def ask(owner, query=""):
    request = reports.ExportRequest(
        table="spend",
        path="/spend",
        query=query,
        file_format="xlsx",
        rows_expected=2,
        centres=[],
        job=exports.JOB,
    )
    return reports.ask_export(request, owner=owner, actor=GRACE, now=timezone.now())


def test_requests_at_once_are_one_file(owner, at_once):
    answers = at_once(lambda number: ask(owner), times=TIMES)
    assert len({file.pk for file, _ in answers}) == 1
    assert sorted(is_new for _, is_new in answers) == [False] * (TIMES - 1) + [True]
    assert OrmQ.objects.count() == 1


def test_no_more_files_than_allowed_are_made_at_once(owner, at_once):
    at_once(lambda number: ask(owner, f"agent={number}"), times=TIMES)
    assert ExportFile.objects.count() == OPEN_MAX


def test_one_of_many_jobs_makes_the_file(owner, at_once):
    file, _ = ask(owner)
    claims = at_once(lambda number: reports.claim_export(file.pk, now=timezone.now()), times=TIMES)
    assert len([claim for claim in claims if claim]) == 1


def test_the_queue_makes_the_file(owner, monkeypatch):
    monkeypatch.setattr(tables, "_registered", {})
    rows = [{"agent": name, "cost": Decimal(1)} for name in ("ada", "bob")]
    columns = [Column("agent", "Agent"), Column("cost", "Cost", "money", total=True)]
    table = Table(name="spend", title="Spend", columns=columns, rows=rows, count=2)
    tables.register("spend", lambda *asked: table, permission="keys.view_charge")
    file, _ = ask(owner)
    [task] = drain_queue()
    assert task["success"], task["result"]
    file.refresh_from_db()
    made, about = sheets(b"".join(queries.parts_of(file)))
    assert (file.status, file.rows, len(made)) == ("ready", 2, 3)
    assert about[0] == [("inlineStr", "Total Cost"), ("inlineStr", "2")]
