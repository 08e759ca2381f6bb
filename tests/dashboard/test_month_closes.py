"""The pages of months: checklist, lock, signatures, what changed since."""

from datetime import timedelta

import pytest
from django.utils import timezone

from keys.models import BooksCheck
from reports.models import MonthClose
from security.models import Approval
from tests.dashboard.test_reports import signed_in
from tests.keys.builders import PAID, add_key, adjust, allocate, report
from tests.reports.closing import IN_APRIL, lock, sign, signers

pytestmark = pytest.mark.django_db
PAGE = "/reports/months/2026-03"
REASONS = {
    "waive_books": "checked by hand",
    "waive_days": "the job was off",
    "waive_bill-openai": "none came",
}


@pytest.fixture
def charge(people):
    """7 tokens of carol in March."""
    add_key("openai-1", rates=PAID, provider="openai")
    return report(allocate("carol"), 7)


@pytest.fixture
def closed(charge):
    signers()
    return sign(lock(), "vera", "paul")


def page(client, path=PAGE):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_open_month_shows_its_checklist_with_links(charge):
    shown = page(signed_in("fay"))
    assert "Total so far" in shown and "not checked since" in shown
    assert '<a href="/treasury/reconciliation">The bill of openai was compared' in shown
    now = timezone.now()
    check = BooksCheck.objects.create(
        night=now.date(), attempt=1, begun_at=now, finished_at=now, checks=20, findings=[{}]
    )
    assert f'href="/reports/books-checks/{check.pk}"' in page(signed_in("fred"))


def test_lock_refuses_with_the_open_items_and_takes_reasons(charge):
    fay = signed_in("fay")
    assert "Waive" in page(fay, f"{PAGE}?act=lock")
    without_books = {name: why for name, why in REASONS.items() if name != "waive_books"}
    answer = fay.post(f"{PAGE}?act=lock", without_books)
    assert "Open: books." in answer.content.decode() and not MonthClose.objects.exists()
    answer = fay.post(f"{PAGE}?act=lock", REASONS, follow=True)
    assert "March 2026 is locked" in answer.content.decode()
    assert "waived: “checked by hand”" in page(fay)


def test_two_persons_sign_and_a_second_click_is_told(charge):
    lock()
    fay, paul = signed_in("fay"), signed_in("paul", "approver")
    fay.post(f"{PAGE}?act=sign")
    answer = fay.post(f"{PAGE}?act=sign")
    assert "Another person must sign it" in answer.content.decode()
    answer = paul.post(f"{PAGE}?act=sign", follow=True)
    assert "March 2026 is signed." in answer.content.decode()
    assert "Sign the month" not in page(paul)


def test_later_changes_stand_beside_the_frozen_total(closed, charge):
    adjust(charge, 9, now=IN_APRIL + timedelta(days=1))
    shown = page(signed_in("fay"))
    assert "$0.000021" in shown and "$0.000006" in shown
    assert f'href="/charges/{charge.pk}"' in shown and "as billed" in shown


def test_reopening_waits_for_an_approval(closed):
    answer = signed_in("fay").post(f"{PAGE}?act=reopen", {"reason": "a bill came"}, follow=True)
    approval = Approval.objects.get(kind="month_reopening")
    assert f'href="/approvals/{approval.pk}"' in answer.content.decode()
    assert signed_in("paul2", "approver").get(f"/approvals/{approval.pk}").status_code == 200


@pytest.mark.parametrize("role", ["viewer", "approver", "auditor"])
def test_only_who_closes_months_locks_them(charge, role):
    client = signed_in("eve", role)
    assert "Lock the month" not in page(client)
    assert client.post(f"{PAGE}?act=lock", REASONS).status_code == 403
    assert not MonthClose.objects.exists()


def test_bound_people_see_no_months(closed):
    assert signed_in("tom", "finance", "sales").get(PAGE).status_code == 403


@pytest.mark.parametrize("month", ["2026-13", "1999-01", "march", "9999-01", "2026-3"])
def test_what_is_no_month_is_not_found(month, people):
    assert signed_in("fay").get(f"/reports/months/{month}").status_code == 404


def test_the_list_has_closed_and_open_months(closed):
    shown = page(signed_in("fay"), "/reports/months")
    assert 'href="/reports/months/2026-03"' in shown and "vera and paul" in shown
    assert 'href="/reports/months/2026-04"' in shown


@pytest.mark.parametrize("path", [PAGE, "/reports/months"])
def test_a_page_takes_few_queries(closed, path, django_assert_max_num_queries):
    client = signed_in("fay")
    with django_assert_max_num_queries(20):
        page(client, path)
