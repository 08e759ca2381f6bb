"""Two persons close last month; what nobody takes of shared costs is split first. A late correction
changes nothing of the month, and its statement is printed and signed."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from keys import services as keys
from reports.models import MonthClose
from reports.month_periods import month_period
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.browser.walk import Watch, overflow, violations
from tests.keys.builders import PAID, add_key, adjust, allocate, report
from tests.reports.closing import check_books
from treasury import services as treasury

pytestmark = pytest.mark.django_db(transaction=True)
# Pixels of a sheet of A4 between margins of 15 mm.
A4 = {"width": 680, "height": 1009}
# How many cells of tables the paper does not have.
CUT_OFF = """
  [...document.querySelectorAll("main :is(td, th)")]
    .filter((cell) => cell.getBoundingClientRect().right > innerWidth).length
"""


@pytest.fixture
def last_month(people):
    """The last month, in which ada has used 1,000 tokens, and the charge."""
    first = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    then = first - timedelta(days=3)
    add_key("openai-1", rates=PAID, provider="openai")
    charge = report(allocate("ada", now=then), 1_000, now=then)
    keys.roll_up_usage()
    compare_bill(then.date(), charge.cost)
    return f"{then:%Y-%m}", charge


def compare_bill(day, cost):
    """Compare the month of the day with a bill of that cost."""
    content = f"day,amount\n{day},{cost}\n".encode()
    file = treasury.ReportFile(provider="openai", format="csv", content=content)
    treasury.import_report(file, actor=ACTOR, now=timezone.now())
    period = month_period(day.replace(day=1), "UTC")
    treasury.reconcile(
        "openai", since=period.month, until=period.last_day, actor=ACTOR, now=timezone.now()
    )


def act(page, button):
    """Open the dialog of an act, and confirm it by keyboard."""
    page.get_by_role("link", name=button).press("Enter")
    page.get_by_role("dialog").get_by_role("button", name=button).press("Enter")


def split_costs(page, *, source, among=""):
    """Say who takes the costs of a cost centre; blank is the unallocated bucket."""
    page.goto("/reports/shared-costs")
    page.get_by_role("link", name="Split costs").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Costs of").select_option(source)
    dialog.get_by_label("Among").fill(among)
    dialog.get_by_label("Reason").fill("agreed")
    dialog.get_by_role("button", name="Split costs").press("Enter")
    expect(page.get_by_text("The rule counts from the next month")).to_be_visible()


def verified(page, path):
    """What the command says of the signed file of the statement."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Signed CSV").press("Enter")
    download.value.save_as(path)
    says = StringIO()
    call_command("verify_statement", str(path), stdout=says)
    return says.getvalue()


def test_a_month_is_closed_by_two_and_its_statement_is_printed(
    signed_in, as_olga, last_month, live_server, tmp_path
):
    month, charge = last_month
    page = signed_in().new_page()
    watch = Watch(page, live_server.url)
    page.goto(f"/reports/months/{month}")
    # Nobody has checked the books since the end of the month.
    act(page, "Lock the month")
    expect(page.get_by_role("dialog")).to_contain_text("books")
    assert not MonthClose.objects.exists()
    now = timezone.now()
    check_books(now.date(), now=now)
    split_costs(page, source="research")
    page.goto(f"/reports/months/{month}")
    act(page, "Lock the month")
    # Nobody takes the costs of research yet.
    expect(page.get_by_role("dialog")).to_contain_text("unallocated")
    assert not MonthClose.objects.exists()
    page.goto(f"/reports/months/{month}")
    page.get_by_role("link", name="No cost is left in the unallocated bucket").click()
    split_costs(page, source="", among="sales 25\nresearch 75")
    assert violations(page) == []
    page.goto(f"/reports/months/{month}")
    act(page, "Lock the month")
    expect(page.get_by_text("The figures are frozen.")).to_be_visible()
    act(page, "Sign the month")
    expect(page.get_by_text("Another person signs it, too.")).to_be_visible()
    # Once is enough.
    act(page, "Sign the month")
    expect(page.get_by_role("dialog")).to_contain_text("Another person must sign it")
    as_olga.goto(f"/reports/months/{month}")
    act(as_olga, "Sign the month")
    expect(as_olga.get_by_text("is signed.")).to_be_visible()
    frozen = MonthClose.objects.get()
    adjust(charge, 400, now=timezone.now())
    page.goto(f"/reports/months/{month}")
    assert violations(page) == []
    expect(page.get_by_role("main")).to_contain_text("Adjustments since it was locked")
    page.get_by_role("link", name="research").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Statement of")
    expect(page.get_by_role("main")).to_contain_text("Share of unallocated costs: 75.00 %")
    assert violations(page) == []
    assert verified(page, tmp_path / "statement.csv").startswith("Good")
    page.emulate_media(media="print")
    page.set_viewport_size(A4)
    assert page.evaluate(CUT_OFF) == 0
    assert overflow(page) == []
    frozen.refresh_from_db()
    assert (frozen.status, frozen.tokens) == (MonthClose.Status.SIGNED, 1_000)
    assert watch.faults == []
    assert_books_balance()
