"""Refunds, receipts and statements in a browser: what a person does with the papers of money."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser.walk import Watch, overflow, violations
from tests.moments import NOON
from tests.treasury.purchases import FINN, make_decider
from tests.treasury.receipts import PDF, waiting_purchase
from treasury import services as treasury
from treasury.models import RailStatementLine, Refund

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def purchase(people):
    """40.00 of credit that a person has to pay from the bank, where 1,000.00 are."""
    make_decider()
    return waiting_purchase()


def test_a_receipt_is_uploaded_and_comes_back_as_it_was(signed_in, purchase):
    page = signed_in().new_page()
    page.goto(f"/treasury/purchases/{purchase.pk}")
    page.get_by_role("link", name="Confirm the payment").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=receipt]").fill("R-2026-7")
    dialog.locator("[name=file]").set_input_files(
        {"name": "receipt.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    dialog.get_by_role("button", name="Confirm the payment").click()
    expect(page.get_by_text(re.compile("is credit now"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile(r"receipt\.pdf")).click()
    with open(download.value.path(), "rb") as file:
        assert file.read() == PDF


def test_a_refund_is_asked_for_and_confirmed(signed_in, live_server, purchase):
    treasury.confirm_purchase(purchase.pk, receipt="R-1", actor=FINN, now=NOON)
    page = signed_in().new_page()
    watch = Watch(page, live_server.url)
    page.goto(f"/treasury/purchases/{purchase.pk}")
    page.get_by_role("link", name="Refund", exact=True).click()
    dialog = page.get_by_role("dialog")
    # All that is left, unless it is changed.
    expect(dialog.get_by_label("Amount")).to_have_value("40.00")
    dialog.get_by_label("Amount").fill("15.00")
    dialog.get_by_label("Reason").fill("bought too much")
    dialog.get_by_role("button", name="Refund").click()
    refund = Refund.objects.get()
    treasury.advance_refund(refund.pk, now=timezone.now())
    page.get_by_role("link", name=f"Refund {refund.pk}").click()
    page.get_by_role("link", name="It was made", exact=True).click()
    dialog.get_by_label("Reference").fill("CN-7")
    dialog.get_by_role("button", name="It was made").click()
    expect(page.get_by_role("heading", name="the money is back")).to_be_visible()
    expect(page.get_by_text(re.compile("reverses transfer"))).to_be_visible()
    faults = []
    page.goto(f"/treasury/purchases/{purchase.pk}")
    faults += violations(page)
    page.go_back()
    for width in (360, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""


def test_a_statement_with_decimal_commas_is_imported(signed_in, purchase):
    page = signed_in().new_page()
    page.goto("/treasury/statements")
    page.get_by_role("link", name="Import a statement").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=account]").select_option("rail:bank")
    content = f"day;amount;balance\n{NOON.date()};1.000;1.000\n".encode()
    file = {"name": "bank.csv", "mimeType": "text/csv"}

    def send(content: bytes) -> None:
        dialog.locator("[name=file]").set_input_files(file | {"buffer": content})
        dialog.get_by_role("button", name="Import a statement").click()

    send(content)
    expect(dialog.get_by_text(re.compile("may have thousands or decimals"))).to_be_visible()
    send(content.replace(b"1.000", b"1.000,00"))
    expect(page.get_by_text(re.compile("is kept: 1 line"))).to_be_visible()
    assert RailStatementLine.objects.get().amount == 1_000
