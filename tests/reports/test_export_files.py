"""Files that a job makes: made once, taken over from a job that died, deleted after a week."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django_q.models import OrmQ

from reports import queries
from reports import services as reports
from reports.models import ExportFile, ExportPart
from reports.refusals import TooManyExports
from reports.services.export_files import ATTEMPTS_MAX, KEPT, OPEN_MAX, SILENCE
from security.models import AuditEntry
from tests.actors import GRACE
from tests.moments import NOON

pytestmark = pytest.mark.django_db
JOB = "dashboard.jobs.make_export"
LATER = NOON + SILENCE


@pytest.fixture
def vera():
    return get_user_model().objects.create_user("vera", is_staff=True)


def ask(owner, query="range=month"):
    request = reports.ExportRequest(
        table="spend",
        query=query,
        path="/spend",
        file_format="xlsx",
        rows_expected=9_000,
        centres=[],
        job=JOB,
    )
    return reports.ask_export(request, owner=owner, actor=GRACE, now=NOON)


def claim(file, now=NOON):
    return reports.claim_export(file.pk, now=now)


def test_one_request_is_one_file(vera):
    file, is_new = ask(vera)
    assert (is_new, ask(vera)) == (True, (file, False))
    assert OrmQ.objects.count() == 1
    [entry] = AuditEntry.objects.about(f"export_file:{file.pk}")
    assert entry.after == {"table": "spend", "query": "range=month", "format": "xlsx"}


def test_a_person_has_a_few_files_made_at_once(vera):
    for number in range(OPEN_MAX):
        ask(vera, f"range={number}d")
    with pytest.raises(TooManyExports):
        ask(vera)
    reports.store_export(claim(ExportFile.objects.first()), [], rows=0, now=NOON)
    assert ask(vera)[1]


def test_a_file_is_stored_in_parts_and_read_in_parts(vera):
    file = claim(ask(vera)[0])
    reports.note_progress(file, rows=4_000, now=NOON)
    assert ExportFile.objects.get().rows == 4_000
    assert reports.store_export(file, [b"ab", b"c"], rows=9_000, now=LATER)
    file.refresh_from_db()
    assert (file.status, file.size, file.made_at) == ("ready", 3, LATER)
    assert b"".join(queries.parts_of(file)) == b"abc"


def test_a_file_is_made_by_one_job(vera):
    file, _ = ask(vera)
    assert claim(file)
    assert claim(file) is None
    assert claim(file, now=LATER) is None


def test_a_job_that_was_silent_changes_nothing_any_more(vera):
    file, _ = ask(vera)
    silent = claim(file)
    assert reports.resume_exports(job=JOB, now=LATER) == 1
    reports.note_progress(silent, rows=5, now=LATER)
    assert ExportFile.objects.get().rows == 0
    second = claim(file, now=LATER)
    assert not reports.store_export(silent, [b"old"], rows=1, now=LATER)
    assert reports.store_export(second, [b"new"], rows=1, now=LATER)
    assert b"".join(queries.parts_of(file)) == b"new"


def test_a_job_that_works_is_left_alone(vera):
    file = claim(ask(vera)[0])
    reports.note_progress(file, rows=1, now=LATER - timedelta(seconds=1))
    assert reports.resume_exports(job=JOB, now=LATER) == 0
    assert ExportFile.objects.get().status == "running"


def test_a_file_is_given_up_after_some_attempts(vera):
    file, now = ask(vera)[0], NOON
    for _ in range(ATTEMPTS_MAX):
        assert claim(file, now=now)
        now += SILENCE
        reports.resume_exports(job=JOB, now=now)
    file.refresh_from_db()
    assert file.status == "failed"
    assert "ask for it again" in file.error
    assert ask(vera)[1]


def test_a_file_is_deleted_after_a_week(vera):
    file = claim(ask(vera)[0])
    reports.store_export(file, [b"a"], rows=1, now=NOON)
    ask(vera)
    assert queries.exports_of(vera, now=NOON).count() == 2
    assert not queries.exports_of(vera, now=NOON + KEPT).exists()
    assert reports.delete_expired_exports(now=NOON + KEPT) == 2
    assert not ExportPart.objects.exists()
