"""The file of each page: its totals are those of the page, and it has the rows that its reader may
see. A table that a page registers is looked at without a line here."""

import io
import subprocess
import sys
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.http import QueryDict
from django.utils import timezone

from dashboard import tables, urls  # noqa: F401 - the pages register their tables
from dashboard.exports.build import content_of_page
from dashboard.exports.csv_files import csv_pieces
from dashboard.exports.xlsx_files import write_xlsx
from gate.models import CentreBinding
from keys import services as keys
from tests.actors import GRACE
from tests.dashboard.workbooks import sheets
from tests.keys.builders import PAID, add_key, adjust, allocate, report

pytestmark = pytest.mark.django_db
# Parameters that tables understand, or do not.
QUERIES = (
    "",
    "by=agent",
    "by=cost_centre&subgroup=agent",
    "by=key",
    "by=model",
    "range=7d&exact=1",
    "by=unicorn",
)
# Their rows need a task, a closed month or a review: tests/dashboard/test_tasks.py,
# test_statements.py, test_access_reviews.py.
ELSEWHERE = {"task-parts", "statement", "access-review"}
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham")


@pytest.fixture
def now():
    """The pages show the days around it."""
    return timezone.now()


@pytest.fixture
def work(people, now):
    """Two cost centres spend; one charge was corrected."""
    add_key("nvidia-1", rates=PAID)
    for agent in ("ada", "carol"):
        for tokens in (901, 1_203):
            charge = report(allocate(agent, now=now), tokens, now=now)
        adjust(charge, 17, now=now)


def content(user, table, query, now):
    """The file of a table; the pages of a key and of an agent have it in their paths."""
    slug = "ada" if table.startswith("agent") else "nvidia-1"
    query = QueryDict(f"slug={slug}&{query}")
    return content_of_page(
        user, table=table, path="/spend", query=query, now=now + timedelta(minutes=1)
    )


@pytest.mark.parametrize("zone", ZONES)
def test_the_totals_of_a_file_are_those_of_its_page(work, now, zone):
    keys.change_organisation(reporting_zone=zone, actor=GRACE, reason="we moved", now=now)
    user = get_user_model().objects.create_superuser("grace")
    assert tables.names()
    for name in set(tables.names()) - ELSEWHERE:
        for query in QUERIES:
            file = content(user, name, query, now)
            read = sum(1 for _ in file.rows())
            assert file.zone == ZoneInfo(zone)
            assert read == file.table.count, (name, query)
            for column in file.table.columns:
                if column.total:
                    total = tables.value(file.table.totals, column.name) or 0
                    assert file.sums[column.name] == total, (name, query, column.name)


def bound(name, centre):
    """Someone who may see all pages, of one cost centre."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    CentreBinding.objects.create(person=user, cost_centre_id=centre)
    return user


def test_no_file_has_a_row_of_another_cost_centre(work, now):
    user, found = bound("ruth", "research"), 0
    for name in set(tables.names()) - ELSEWHERE:
        if not user.has_perm(tables.registered(name).permission):
            continue
        for query in (*QUERIES, "centre=sales", "agent=carol", "cost_centre=sales"):
            text = b"".join(csv_pieces(content(user, name, query, now))).decode()
            rows = text.partition("\r\n\r\n")[0]
            assert "carol" not in rows and "sales" not in rows, (name, query)
            workbook = io.BytesIO()
            write_xlsx(content(user, name, query, now), workbook)
            table, _ = sheets(workbook.getvalue())
            assert "carol" not in str(table) and "sales" not in str(table), (name, query)
            found += "ada" in rows
    assert found


def test_a_job_knows_the_tables_of_all_pages():
    says = "from dashboard import jobs, tables; print(*tables.names())"
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", says],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == tables.names()
