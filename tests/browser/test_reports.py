"""The page of a file in a browser: it follows its job without a click."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from reports import services as reports
from tests.actors import GRACE
from tests.browser.walk import Watch, overflow, violations

pytestmark = pytest.mark.django_db(transaction=True)


def asked(**changes):
    wanted = {
        "table": "spend",
        "path": "/spend",
        "query": "by=agent",
        "file_format": "xlsx",
        "rows_expected": 9_000,
        "centres": [],
        "job": "dashboard.jobs.make_export",
    }
    request = reports.ExportRequest(**wanted | changes)
    owner = get_user_model().objects.get(username="grace")
    return reports.ask_export(request, owner=owner, actor=GRACE, now=timezone.now())[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_file_is_followed_until_it_is_ready(signed_in, live_server, theme):
    page = signed_in(theme, viewport={"width": 360, "height": 800}).new_page()
    watch = Watch(page, live_server.url)
    file = asked()
    page.goto(f"/reports/files/{file.pk}")
    faults = violations(page) + overflow(page)
    file = reports.claim_export(file.pk, now=timezone.now())
    reports.note_progress(file, rows=4_000, now=timezone.now())
    page.get_by_text("4,000 of about 9,000 rows are written").wait_for()
    faults += violations(page) + overflow(page)
    reports.store_export(file, [b"x" * 5_000], rows=9_001, now=timezone.now())
    link = page.get_by_role("link", name="Download")
    link.wait_for()
    faults += violations(page) + overflow(page)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == f"spend-{file.pk}.xlsx"
    page.goto("/reports")
    page.get_by_text(f"spend-{file.pk}.xlsx").wait_for()
    faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
