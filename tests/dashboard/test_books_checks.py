"""The last books check: in the footer of each page, and on its own."""

from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from dashboard.books_checks import outcome
from gate.models import CentreBinding
from keys.models import BooksCheck

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
FOUND = {
    "check": "3 window-used",
    "says": "window.used = the sum of the charges settled in it",
    "count": 12,
    "rows": [{"window": "7", "scope": "centre:<research>"}],
}


def run(begun_at=NIGHT, *, is_finished=True, findings=()):
    finished = begun_at + timedelta(seconds=90) if is_finished else None
    return BooksCheck.objects.create(
        night=begun_at.date(),
        attempt=BooksCheck.objects.count() + 1,
        begun_at=begun_at,
        finished_at=finished,
        checks=16 if is_finished else 0,
        findings=list(findings),
    )


def words(check, *, later=timedelta(hours=3)):
    return outcome(check, zone=BERLIN, now=NIGHT + later)


def test_the_line_says_when_and_what_was_found():
    assert words(None) == "Books not checked yet"
    assert words(run()) == "Books checked 02:00: balanced"
    assert words(run(), later=timedelta(days=2)) == "Books checked 10 Mar 02:00: balanced"
    broken = run(findings=[FOUND])
    assert words(broken) == "Books checked 02:00: 1 of 16 checks found errors"


def test_a_check_that_has_not_finished_is_never_balanced():
    assert words(run(is_finished=False)) == "Books check began 02:00: not finished"


def test_the_footer_leads_to_the_check_with_its_findings(staff, now):
    run(now - timedelta(days=1))
    check = run(now, findings=[FOUND])
    footer = unescape(staff.get("/").content.decode()).partition("<footer")[2]
    assert "1 of 16 checks found errors" in footer
    assert f'href="/reports/books-checks/{check.pk}"' in footer
    page = unescape(staff.get(f"/reports/books-checks/{check.pk}").content.decode())
    assert "3 window-used" in page
    assert "12 rows" in page
    assert "scope centre:<research>" in page
    assert "1 min" in page
    assert "balanced" in page, "the check before it"
    assert "<research>" not in staff.get(f"/reports/books-checks/{check.pk}").content.decode()


def test_a_person_bound_to_a_cost_centre_sees_the_line_without_details(client, people, now):
    check = run(now)
    ruth = get_user_model().objects.create_user("ruth", is_staff=True)
    ruth.user_permissions.set(Permission.objects.all())
    CentreBinding.objects.create(person=ruth, cost_centre_id="research")
    client.force_login(ruth)
    footer = client.get("/").content.decode().partition("<footer")[2]
    assert "balanced" in footer
    assert "books-checks" not in footer
    assert client.get(f"/reports/books-checks/{check.pk}").status_code == 403


def test_a_check_that_there_is_not_is_no_page(staff):
    assert staff.get("/reports/books-checks/7").status_code == 404
    assert staff.get(f"/reports/books-checks/{'9' * 30}").status_code == 404
