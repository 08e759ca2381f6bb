"""What a provider reloads by itself is seen, booked once, and told if it was more than approved."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from alerts.models import Alert
from common import addresses
from security.models import AuditEntry
from tests.moments import NOON
from tests.treasury.builders import balances, broken
from tests.treasury.fake_vendor import fake_vendor
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    approve,
    fund,
    make_decider,
    propose,
    propose_policy,
)
from tests.treasury.receipts import PDF
from treasury import services as treasury
from treasury.balances.formats import FORMATS
from treasury.bounds import spent
from treasury.models import (
    BalanceSnapshot,
    Purchase,
    PurchaseAttempt,
    PurchasePolicy,
    PurchaseReceipt,
    Transfer,
)
from treasury.refusals import WrongPolicy, WrongPurchase
from treasury.reloads import Reading, reload_between
from treasury.services import AccessTerms, ReceiptFile, ReloadInvoice
from treasury.vendor_calls import Unreadable

WITH_DATABASE = pytest.mark.django_db
QUARTER = timedelta(minutes=15)
TODAY = NOON.date()
CENTS = st.integers(0, 10**7).map(lambda cents: Decimal(cents) / 100)


def reading(amount, ledger, *, granted="0", in_transit="0"):
    return Reading(
        amount=Decimal(amount),
        granted=Decimal(granted),
        ledger=Decimal(ledger),
        in_transit=Decimal(in_transit),
    )


@pytest.mark.parametrize(
    ("before", "after", "came"),
    [
        (reading(20, 20), reading(118, 18), "100"),
        (reading(20, 20), reading("119.994", "19.99"), "100.00"),
        (reading(20, 20), reading(18, 18), "0"),
        # The provider counts behind: nothing rose.
        (reading(50, 50), reading(50, 20), "0"),
        (reading(20, 20), reading(24, 20), "0"),
        # What Butler or a person has bought.
        (reading(20, 20), reading(60, 60), "0"),
        (reading(20, 20, in_transit=40), reading(60, 20), "0"),
        (reading(20, 20), reading(60, 20, in_transit=40), "0"),
        # A gift.
        (reading(20, 20), reading(30, 20, granted=10), "0"),
    ],
)
def test_a_reload_is_what_rose_beyond_what_the_ledger_knows(before, after, came):
    assert reload_between(before, after) == Decimal(came)


@given(credit=CENTS, used=CENTS, came=CENTS)
def test_a_reload_is_found_to_the_cent_if_the_rise_shows_it(credit, used, came):
    found = reload_between(reading(credit, credit), reading(credit - used + came, credit - used))
    assert found == (came if came - used >= 5 else 0)


@pytest.fixture
def policy():
    """A card that the provider charges by itself: 50 at once, 100 a day, 500 a month."""
    make_decider()
    terms = {"method": "vendor", "rail": "card", "destination": "https://billing.example"}
    add_payee("auto-reload", **terms)
    approve(
        propose_policy(
            payee="auto-reload",
            per_purchase_max=Decimal(50),
            daily_max=Decimal(100),
            monthly_max=Decimal(500),
            approval_above=Decimal(50),
            is_automatic=False,
        )[0]
    )
    return PurchasePolicy.objects.get()


def told(policy, amount, *, at=NOON):
    """The provider says this much; the ledger has what it has."""
    credit = policy.credit_account
    credit.refresh_from_db()
    figures = {"amount": Decimal(amount), "granted": 0, "ledger": credit.balance, "in_transit": 0}
    return BalanceSnapshot.objects.create(
        credit_account=credit,
        provider_id="openai",
        source="openrouter",
        as_of=at,
        currency="USD",
        content=b"{}",
        **figures,
    )


def see(policy, *amounts):
    """The purchases that are seen while the provider says one amount after another."""
    seen = []
    for number, amount in enumerate(amounts):
        now = NOON + number * QUARTER
        told(policy, amount, at=now)
        for _ in range(2):
            seen.append(treasury.see_reload(policy.pk, now=now))
    return list(filter(None, seen))


def record(policy, amount="50.00", invoice="INV-1", *, on=TODAY, now=NOON, file=None):
    invoice = ReloadInvoice(amount=Decimal(amount), occurred_on=on, invoice=invoice, file=file)
    return treasury.record_reload(policy.pk, invoice, actor=FINN, now=now)


def exceeded():
    found = Alert.objects.filter(kind="reload_exceeds").order_by("pk")
    return list(found.values_list("detail", flat=True))


@WITH_DATABASE
def test_a_balance_that_rises_is_booked_once(policy):
    (purchase,) = see(policy, "10.00", "60.00", "60.00")
    assert (purchase.amount, purchase.status, purchase.payee.method) == (50, "credited", "vendor")
    assert balances(SIMULATED_CREDIT) == (50, 50)
    assert balances("transit:openai") == balances("rail:card") == (0, 0)
    assert spent(policy, now=NOON).of_month == 50
    (evidence,) = purchase.evidence.all()
    assert (evidence.source, evidence.snapshot.amount) == ("balance", 60)
    assert AuditEntry.objects.about(purchase.address).filter(action="reload.see").count() == 1
    assert (exceeded(), PurchaseAttempt.objects.count(), broken()) == ([], 0, [])


@WITH_DATABASE
def test_cash_on_the_account_pays_first_and_the_card_the_rest(policy):
    fund("30.00", "rail:card")
    record(policy)
    assert balances("rail:card") == (0, 0)
    funded = Transfer.objects.filter(kind="funding", debit__name="rail:card")
    assert sorted(funded.values_list("amount", flat=True)) == [20, 30]
    assert broken() == []


@WITH_DATABASE
def test_a_reload_that_is_seen_twice_is_one_purchase(policy):
    (seen,) = see(policy, "10.00", "59.60")
    file = ReceiptFile(content=PDF, name="invoice.pdf")
    assert record(policy, file=file) == (seen, False)
    assert record(policy, file=file) == (seen, False)
    assert PurchaseReceipt.objects.get().purchase == seen
    assert sorted(seen.evidence.values_list("source", flat=True)) == ["balance", "person"]
    with pytest.raises(WrongPurchase, match="INV-1"):
        record(policy, "49.00")
    assert record(policy, invoice="INV-2")[1]
    assert balances(SIMULATED_CREDIT) == (Decimal("99.60"), Decimal("99.60"))
    assert broken() == []


@WITH_DATABASE
@pytest.mark.parametrize("provider_is_late", [False, True])
def test_what_a_person_entered_first_is_only_confirmed_by_the_balance(policy, provider_is_late):
    told(policy, "10.00")
    entered, is_new = record(policy, now=NOON + timedelta(minutes=1))
    if provider_is_late:
        told(policy, "10.00", at=NOON + QUARTER)
        assert treasury.see_reload(policy.pk, now=NOON + QUARTER) is None
    told(policy, "60.00", at=NOON + 2 * QUARTER)
    assert treasury.see_reload(policy.pk, now=NOON + 2 * QUARTER) == entered and is_new
    assert entered.evidence.count() == 2 and Purchase.objects.count() == 1


@WITH_DATABASE
def test_what_is_beyond_the_approved_is_booked_and_told(policy):
    assert record(policy, "50.01")[0].status == "credited"
    assert exceeded() == ["One purchase may cost 50.00."]
    record(policy, "50.00", "INV-2")
    assert exceeded()[-1] == "It makes 100.01 on this day, of 100.00."
    treasury.pause_policy(policy.pk, reason="too much", actor=FINN, now=NOON)
    record(policy, "5.00", "INV-3", on=TODAY - timedelta(days=1))
    assert exceeded()[-1] == "The policy is paused, so nothing was to be bought."
    assert len(exceeded()) == 3 and broken() == []


def listed(*made, origin="AUTO_PURCHASE", status="SUCCEEDED"):
    """xAI's answer about a balance, which is 100 in every one."""
    changes = [
        {
            "changeOrigin": origin,
            "createTime": at.isoformat(),
            "amount": {"val": f"-{amount}00"},
            "topupStatus": status,
        }
        for at, amount in made
    ]
    return {"total": {"val": "-10000"}, "changes": changes}


def test_only_what_xai_has_bought_by_itself_and_charged_is_a_reload():
    read = FORMATS["x-ai"].reloads
    (found,) = read(listed((NOON, 25)))
    assert (found.at, found.amount, found.name) == (NOON, 25, NOON.isoformat())
    for other in ({"origin": "PURCHASE"}, {"origin": "SPEND"}, {"status": "FAILED_TO_CHARGE"}):
        assert read(listed((NOON, 25), **other)) == []
    for broken_one in ({}, {"changes": [{"changeOrigin": "AUTO_PURCHASE"}]}, []):
        with pytest.raises(Unreadable):
            read(broken_one)


@WITH_DATABASE
def test_what_xai_lists_is_booked_once_however_it_is_seen(policy, settings):
    settings.PROVIDER_NETWORKS = addresses.networks(["127.0.0.0/8"])
    before = NOON - timedelta(days=3)
    says = listed((before, 30), (NOON + QUARTER, 25), (NOON + 2 * QUARTER, 25))
    with fake_vendor(lambda asked: (200, says)) as vendor:
        terms = AccessTerms(format="x-ai", base_url=vendor.url, team="team-1")
        credit = policy.credit_account
        asked = {"reason": "x", "actor": FINN, "now": NOON}
        treasury.set_balance_access(credit.pk, terms, secret="sk-1", **asked)  # noqa: S106
        for number in (4, 5, 6):
            treasury.take_balance(credit.pk, now=NOON + number * QUARTER)
    # What was there before the credit was opened is in its opening balance.
    assert [each.amount for each in Purchase.objects.order_by("pk")] == [25, 25]
    first = Purchase.objects.earliest("pk")
    assert (first.status, first.payee.method, first.body) == ("credited", "vendor", "")
    assert first.evidence.get().source == "listed" and balances(SIMULATED_CREDIT)[0] == 50
    # Its invoice comes later: the same purchase.
    entered, is_new = record(policy, "25.00", now=NOON + 8 * QUARTER)
    assert not is_new and entered in Purchase.objects.all()
    assert broken() == []


@WITH_DATABASE
def test_butler_sends_nothing_for_it(policy):
    with pytest.raises(WrongPurchase, match="reloads this credit by itself"):
        propose()
    with pytest.raises(WrongPolicy, match="does not buy it"):
        propose_policy(payee="auto-reload", is_automatic=True)
    assert treasury.buy_credit(policy.pk, now=NOON)[1] is None
    purchase, _ = record(policy)
    assert treasury.advance_purchase(purchase.pk, now=NOON).status == "credited"
    with pytest.raises(IntegrityError, match="is_of_a_rail"), transaction.atomic():
        PurchaseAttempt.objects.create(purchase=purchase, number=1, sent_at=NOON)


@WITH_DATABASE
def test_wrong_invoices_are_refused(policy):
    for amount in ("0", "-1", "0.001", "NaN"):
        with pytest.raises(WrongPurchase):
            record(policy, amount)
    with pytest.raises(WrongPurchase, match="number"):
        record(policy, invoice=" ")
    with pytest.raises(WrongPurchase, match="future"):
        record(policy, on=TODAY + timedelta(days=3))
    assert not Purchase.objects.exists()


@WITH_DATABASE
def test_a_reload_of_a_closed_month_is_of_the_first_open_day(policy):
    treasury.close_period(TODAY - timedelta(days=5), reason="x", actor=FINN, now=NOON)
    purchase, _ = record(policy, on=TODAY - timedelta(days=9))
    days = set(
        Transfer.objects.filter(journal=purchase.pending.journal).values_list(
            "effective_on", flat=True
        )
    )
    assert min(days) == TODAY - timedelta(days=4)


@WITH_DATABASE
def test_the_credit_of_another_method_is_not_looked_at(settings):
    settings.SIMULATOR_URL = "http://127.0.0.1:1"
    make_decider()
    add_payee()
    approve(propose_policy()[0])
    policy = PurchasePolicy.objects.get()
    assert see(policy, "10.00", "60.00") == []
    with pytest.raises(WrongPurchase, match="does not reload"):
        record(policy)
