"""The pages of the Treasury: credit, accounts, purchases, policies, and what people do there."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from keys.models import Provider
from security.actor import Actor
from security.models import Approval
from tests.dashboard.test_agents import signed_in
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    approve,
    carry_on,
    fund,
    make_decider,
    propose,
    propose_policy,
    set_policy,
)
from tests.treasury.receipts import PDF, PNG, waiting_purchase
from tests.treasury.simulator import simulator
from treasury import services as treasury
from treasury.models import (
    Account,
    BalanceAccess,
    Payee,
    Purchase,
    PurchasePolicy,
    PurchaseReceipt,
    Refund,
)
from treasury.services import RailTerms

pytestmark = pytest.mark.django_db
TERMS = {
    "payee": "openai",
    "threshold": "100",
    "target": "300",
    "per_purchase_max": "200",
    "daily_max": "400",
    "monthly_max": "1000",
    "approval_above": "500",
    "cool_off_minutes": "60",
    "declines_max": "4",
    "zone": "Europe/Berlin",
    "is_automatic": "on",
    "reason": "agents must not stop",
}


@pytest.fixture
def vendor(settings, people):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        yield server


@pytest.fixture
def office(vendor):
    make_decider()
    add_payee()
    set_policy()
    fund("1000.00")
    return carry_on(propose())


def page(client, path="/treasury"):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_payees_the_page_teaches(vendor):
    assert "First propose a payee" in page(signed_in("fay", role="finance"))


def test_credit_accounts_and_purchases_with_play_money_marked(office):
    shown = page(signed_in("fay", role="finance"))
    assert "play money" in shown and "buys by itself" in shown
    assert f'href="/treasury/purchases/{office.pk}"' in shown
    assert "credit:openai" in shown and "$960" in shown


def test_an_account_has_the_balance_after_each_transfer(office):
    fund("10.00", SIMULATED_CREDIT)
    account = Account.objects.get(name=SIMULATED_CREDIT)
    shown = page(signed_in("fay", role="finance"), f"/treasury/accounts/{account.pk}")
    assert shown.index("$50.00") < shown.index("$40.00")
    assert "transit:openai" in shown


def test_consumption_leads_to_its_charges(office):
    add_key("openai-1", rates=PAID, provider="openai")
    report(allocate(tokens=90_000), 80_000)
    treasury.post_consumption(Account.objects.get(name=SIMULATED_CREDIT), now=NOON)
    account = Account.objects.get(name="expense:research")
    fay = signed_in("fay", role="finance")
    shown = page(fay, f"/treasury/accounts/{account.pk}")
    start = shown.index('href="/charges?') + len('href="')
    url = shown[start : shown.index('"', start)].replace("&amp;", "&")
    charges = page(fay, url)
    assert "openai-1" in charges and "80,000" in charges


def test_funding_is_recorded_once(office):
    account = Account.objects.get(name="rail:simulator")
    path = f"/treasury/accounts/{account.pk}"
    fay = signed_in("fay", role="finance")
    assert "Record funding" in page(fay, f"{path}?act=funding")
    asked = {"amount": "250.00", "reference": "wire 7", "key": str(uuid4())}
    for _ in range(2):
        fay.post(f"{path}?act=funding", asked)
    assert Account.objects.get(pk=account.pk).balance == 960 + 250
    assert "wire 7" in page(fay, path)
    credit = Account.objects.get(name=SIMULATED_CREDIT)
    assert fay.post(f"/treasury/accounts/{credit.pk}?act=funding", asked).status_code == 403
    assert signed_in("al", role="auditor").post(f"{path}?act=funding", asked).status_code == 403


def test_a_purchase_is_a_timeline(office):
    shown = page(signed_in("fay", role="finance"), f"/treasury/purchases/{office.pk}")
    assert shown.index("Paid, and not yet seen as credit") < shown.index("The money is set aside")
    assert str(office.key) in shown and "sim_1 at the rail" in shown


def test_a_policy_shows_its_bounds_and_a_dry_run(office):
    pk = PurchasePolicy.objects.get().pk
    shown = page(signed_in("fay", role="finance"), f"/treasury/policies/{pk}")
    assert "What it would have bought in the last 30 days" in shown
    assert "Cool-off until" in shown


def test_a_person_proposes_a_payee_and_a_policy_and_buys(vendor):
    make_decider()
    Provider.objects.get_or_create(slug="openai", defaults={"name": "OpenAI"})
    fay = signed_in("fay", role="finance")
    asked = {
        "slug": "openai",
        "provider": "openai",
        "method": "rail",
        "rail": "simulator",
        "destination": "openai",
        "reason": "our provider",
    }
    assert "Propose a payee" in page(fay, "/treasury?act=payee")
    answer = fay.post("/treasury?act=payee", asked, follow=True)
    assert "A second person must approve" in answer.content.decode()
    approve(Approval.objects.get(kind="payee"))
    assert Payee.objects.get().is_play_money
    fay.post("/treasury?act=policy", TERMS)
    approve(Approval.objects.get(kind="purchase_policy"))
    policy = PurchasePolicy.objects.get()
    assert (policy.zone, policy.is_automatic, policy.cool_off_seconds) == (
        "Europe/Berlin",
        True,
        3600,
    )
    fay.post(f"/treasury/policies/{policy.pk}?act=buy", {"amount": "25", "reason": "now"})
    assert (Purchase.objects.get().amount, Purchase.objects.get().status) == (25, "approved")


def test_terms_that_cannot_be_are_told_on_the_page(office):
    fay = signed_in("fay", role="finance")
    answer = fay.post("/treasury?act=policy", TERMS | {"target": "90"})
    assert "The target must be above the threshold" in answer.content.decode()
    answer = fay.post(
        f"/treasury/policies/{PurchasePolicy.objects.get().pk}?act=buy",
        {"amount": "201", "reason": "much"},
    )
    assert "in one purchase" in answer.content.decode()


def test_a_person_ends_what_waits_for_one(office, vendor):
    vendor.faults.plan({"kind": "action"})
    waiting = carry_on(propose("30.00"))
    fay = signed_in("fay", role="finance")
    assert f"Purchase {waiting.pk}" in page(fay)
    path = f"/treasury/purchases/{waiting.pk}"
    assert "Confirm the payment" in page(fay, path)
    fay.post(f"{path}?act=deny", {"reason": "the bank says no"})
    assert Purchase.objects.get(pk=waiting.pk).status == "declined"
    assert Account.objects.get(name="rail:simulator").available == Decimal(960)


def test_a_policy_is_paused_and_resumed(office):
    fay = signed_in("fay", role="finance")
    path = f"/treasury/policies/{PurchasePolicy.objects.get().pk}"
    fay.post(f"{path}?act=pause", {"reason": "audit"})
    assert "audit" in page(fay, path)
    fay.post(f"{path}?act=resume", {"reason": "done"})
    assert PurchasePolicy.objects.get().paused_at is None


@pytest.mark.parametrize(
    ("role", "status"),
    [("viewer", 403), ("operator", 403), ("approver", 200), ("administrator", 200)],
)
def test_roles(office, role, status):
    client = signed_in("rob", role=role)
    assert client.get("/treasury").status_code == status
    answer = client.post("/treasury?act=payee", {"slug": "mallory"})
    assert answer.status_code == 403
    assert not Approval.objects.filter(subject="payee:mallory").exists()


def test_who_is_bound_to_a_cost_centre_sees_no_money(office):
    bound = signed_in("bea", role="finance", of="research")
    assert bound.get("/treasury").status_code == 403


@pytest.mark.parametrize("table", ["treasury-accounts", "treasury-purchases"])
def test_tables_are_files(office, table):
    answer = signed_in("fay", role="finance").get(f"/treasury?format=csv&table={table}")
    content = b"".join(answer.streaming_content).decode()
    assert "play money" in content


def test_pages_take_few_queries(office, django_assert_max_num_queries):
    fay = signed_in("fay", role="finance")
    policy, account = PurchasePolicy.objects.get().pk, Account.objects.first().pk
    for path in (
        "/treasury",
        f"/treasury/purchases/{office.pk}",
        f"/treasury/policies/{policy}",
        f"/treasury/accounts/{account}",
    ):
        page(fay, path)
        with django_assert_max_num_queries(20):
            page(fay, path)


def read_balance(vendor, amount=""):
    """Have the balance of the credit read from the simulator."""
    account = Account.objects.get(name=SIMULATED_CREDIT)
    terms = treasury.AccessTerms(format="simulator", team="openai")
    actor = Actor.person("finn")
    treasury.set_balance_access(
        account.pk, terms, secret="", reason="x", actor=actor, now=timezone.now()
    )
    treasury.take_balance(account.pk, now=timezone.now())
    return account


def test_the_providers_figure_stands_beside_that_of_the_ledger(office, vendor):
    client = signed_in("fay", role="finance")
    account = read_balance(vendor)
    assert "by the provider" in page(client) and "differs" not in page(client)
    fund("10.00", SIMULATED_CREDIT)
    treasury.take_balance(account.pk, now=timezone.now())
    assert "differs by" in page(client)
    shown = page(client, f"/treasury/accounts/{account.pk}")
    assert "By the provider" in shown and "the figures differ" in shown and "Runway" in shown
    assert "What the provider said" in shown


def test_who_finance_is_takes_the_figure_over_with_a_second_person(office, vendor):
    fund("10.00", SIMULATED_CREDIT)
    account = read_balance(vendor)
    client = signed_in("fay", role="finance")
    answer = client.post(f"/treasury/accounts/{account.pk}?act=adopt", {"reason": "x"})
    assert answer.status_code == 302
    assert Approval.objects.get(kind="credit_balance").change["amount"] == "-10.000000000"


def test_credit_that_expires_is_recorded_and_shown(office):
    account = Account.objects.get(name=SIMULATED_CREDIT)
    client = signed_in("fay", role="finance")
    asked = {
        "amount": "15",
        "expires_at": "2099-01-31T12:00",
        "is_granted": "on",
        "reference": "voucher 7",
    }
    answer = client.post(f"/treasury/accounts/{account.pk}?act=expiring", asked)
    assert answer.status_code == 302
    shown = page(client, f"/treasury/accounts/{account.pk}")
    assert "voucher 7" in shown and "$55" in shown
    assert "expiring:openai:2099-01-31:1" in page(client)


def test_how_a_balance_is_read_is_set_after_a_confirmation_and_its_secret_never_shown(office):
    account = Account.objects.get(name=SIMULATED_CREDIT)
    path = f"/treasury/accounts/{account.pk}?act=access"
    client = signed_in("fay", role="finance")
    asked = {"format": "vercel", "secret": "vck_0123456789", "reason": "x"}
    answer = client.post(path, asked)
    assert answer.status_code == 302
    assert BalanceAccess.objects.get().format == "vercel"
    assert "vck_0123456789" not in page(client, path)
    for role in ("approver", "auditor"):
        other = signed_in(role, role=role)
        assert other.post(path, asked).status_code == 403
        assert "Set how it is read" not in page(other, f"/treasury/accounts/{account.pk}")


def test_a_page_of_credit_takes_few_queries(office, vendor, django_assert_max_num_queries):
    account = read_balance(vendor)
    client = signed_in("fay", role="finance")
    for path in ("/treasury", f"/treasury/accounts/{account.pk}"):
        page(client, path)
        with django_assert_max_num_queries(20):
            page(client, path)


def test_a_receipt_is_uploaded_and_downloaded_by_who_sees_the_purchase(people):
    make_decider()
    waiting = waiting_purchase()
    path = f"/treasury/purchases/{waiting.pk}"
    fay = signed_in("fay", role="finance")
    shown = page(fay, path)
    assert 'href="https://billing.example/top-up"' in shown and str(waiting.key) in shown
    wrong = SimpleUploadedFile("invoice.pdf", b"<html></html>", content_type="application/pdf")
    refused = fay.post(f"{path}?act=confirm", {"receipt": "R-1", "file": wrong})
    assert "not a whole PDF" in refused.content.decode()
    file = SimpleUploadedFile("page.html", PDF, content_type="text/html")
    fay.post(f"{path}?act=confirm", {"receipt": "R-1", "file": file})
    assert Purchase.objects.get(pk=waiting.pk).status == "credited"
    fay.post(f"{path}?act=receipt", {"file": SimpleUploadedFile("scan.png", PNG)})
    first, second = PurchaseReceipt.objects.order_by("pk")
    assert first.sha256 in page(fay, path) and "scan.png" in page(fay, path)
    answer = fay.get(f"{path}/receipts/{first.pk}")
    assert (answer.content, answer["Content-Type"]) == (PDF, "application/pdf")
    assert answer["Content-Disposition"] == f'attachment; filename="{first.download_name}"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert fay.get(f"/treasury/purchases/0/receipts/{first.pk}").status_code == 404
    for name, options, status in (
        ("ava", {"role": "approver"}, 200),
        ("vic", {"role": "viewer"}, 403),
        ("bea", {"role": "finance", "of": "research"}, 403),
    ):
        other = signed_in(name, **options)
        assert other.get(f"{path}/receipts/{second.pk}").status_code == status
        assert other.post(f"{path}?act=receipt", {"file": file}).status_code == 403
    assert PurchaseReceipt.objects.count() == 2


def test_a_reload_of_the_provider_is_recorded_on_the_page_of_its_policy(people):
    make_decider()
    add_payee("auto-reload", method="vendor", rail="card", destination="https://billing.example")
    approve(propose_policy(payee="auto-reload", is_automatic=False)[0])
    path = f"/treasury/policies/{PurchasePolicy.objects.get().pk}"
    fay = signed_in("fay", role="finance")
    shown = page(fay, path)
    assert "sends nothing" in shown and "?act=reload" in shown and "?act=buy" not in shown
    told = {"amount": "250.00", "occurred_on": "2026-03-10", "invoice": "INV-1"}
    fay.post(f"{path}?act=reload", told)
    purchase = Purchase.objects.get()
    assert "invoice INV-1" in page(fay, f"/treasury/purchases/{purchase.pk}")
    assert "more than was approved" in page(fay, "/alerts")
    assert signed_in("ava", role="approver").post(f"{path}?act=reload", told).status_code == 403


def test_a_refund_of_what_a_person_paid_is_confirmed_on_its_page(people):
    make_decider()
    purchase = waiting_purchase()
    treasury.confirm_purchase(purchase.pk, receipt="R-1", actor=FINN, now=NOON)
    fay = signed_in("fay", role="finance")
    asked = {"amount": "5", "reason": "bought too much", "key": uuid4()}
    path = f"/treasury/purchases/{purchase.pk}"
    fay.post(f"{path}?act=refund", asked)
    refund = Refund.objects.get()
    treasury.advance_refund(refund.pk, now=NOON)
    assert "A refund waits for a person" in page(fay, "/alerts")
    assert "a person must act" in page(fay, path)
    ava = signed_in("ava", role="approver")
    path = f"/treasury/refunds/{refund.pk}"
    assert ava.post(f"{path}?act=confirm", {"reference": "CN-7"}).status_code == 403
    fay.post(f"{path}?act=confirm", {"reference": "CN-7"})
    assert "CN-7" in page(fay, path) and "the money is back" in page(fay, path)


def test_payments_to_services_are_listed_and_an_allowance_is_proposed(people):
    fay = signed_in("fay", role="finance")
    assert "First add a wallet" in page(fay, "/treasury/x402")
    terms = RailTerms(slug="wallet", kind="x402", mode="sandbox", settings={})
    treasury.add_rail_account(terms, secret="11" * 32, actor=FINN, now=NOON)
    asked = {
        "agent": "ada",
        "rail": "wallet",
        "per_payment_max": "0.02",
        "daily_max": "0.05",
        "monthly_max": "0.10",
        "payees": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
        "reason": "a market feed",
    }
    wrong = fay.post("/treasury/x402?act=allow", asked | {"payees": "0x12"})
    assert "is no address" in wrong.content.decode()
    fay.post("/treasury/x402?act=allow", asked)
    approval = Approval.objects.get(kind="x402_allowance")
    assert "play money" in approval.effect
    make_decider()
    approve(approval)
    shown = page(fay, "/treasury/x402")
    assert "0x209693Bc6afc0C5328bA36FaF03C514EF312287C" in shown and "play money" in shown
    ava = signed_in("ava", role="approver")
    assert ava.post("/treasury/x402?act=allow", asked).status_code == 403
    assert signed_in("vic", role="viewer").get("/treasury/x402").status_code == 403
