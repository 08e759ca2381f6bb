"""Purchases from the proposal to the credit, against the simulator over HTTP."""

from datetime import timedelta
from decimal import Decimal

import pytest
import requests
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from keys.models import Provider
from security import services as security
from security.models import AuditEntry
from security.refusals import ApprovalOutdated, NotADecider, SecondPersonNeeded
from tests.actors import CAROL
from tests.moments import NOON
from tests.treasury.builders import balances, broken
from tests.treasury.purchases import (
    DORA,
    FINN,
    MINUTE,
    SIMULATED_CREDIT,
    SIMULATED_RAIL,
    SIMULATED_TRANSIT,
    add_payee,
    approve,
    carry_on,
    fund,
    make_decider,
    pending_on,
    propose,
    propose_policy,
    set_policy,
)
from tests.treasury.simulator import simulator
from treasury import jobs, refusals
from treasury import services as treasury
from treasury.bounds import spent
from treasury.models import Payee, Purchase, PurchasePolicy, Transfer
from treasury.services import PayeeTerms

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def vendor(settings):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        yield server


@pytest.fixture(autouse=True)
def office(vendor):
    make_decider()
    add_payee()
    set_policy()
    fund("1000.00")
    yield
    assert broken() == []


def paid(vendor) -> Decimal:
    """What has left the vendor's balance."""
    return 1000 - vendor.vendor.balance()


def timeline(purchase) -> list[str]:
    return list(purchase.steps.values_list("status", flat=True))


def test_a_purchase_becomes_credit(vendor):
    purchase = carry_on(propose())
    assert timeline(purchase) == [
        *("proposed", "approved", "reserved", "sending", "accepted", "settled", "credited"),
    ]
    assert balances(SIMULATED_RAIL) == (960, 960)
    assert balances(SIMULATED_TRANSIT) == (0, 0)
    assert balances(SIMULATED_CREDIT) == (40, 40)
    assert paid(vendor) == vendor.vendor.credit("openai") == 40
    history = AuditEntry.objects.about(purchase.address)
    assert history.filter(action="purchase.move").count() == 6


def test_the_job_carries_it_on(vendor):
    propose(now=timezone.now())
    assert jobs.carry_on_purchases() == 1
    assert Purchase.objects.get().status == "credited"


def test_a_rail_that_is_gone_keeps_the_purchase(settings):
    settings.SIMULATOR_URL = ""
    propose(now=timezone.now())
    jobs.carry_on_purchases()
    assert Purchase.objects.get().status == "reserved"
    assert pending_on() == 40


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "server_error", "in_use", "busy"])
def test_without_a_definite_answer_it_is_unknown_until_the_rail_is_asked(vendor, fault):
    vendor.faults.plan({"kind": fault})
    purchase = carry_on(propose(), steps=2)
    assert (purchase.status, pending_on()) == ("unknown", 40)
    purchase = carry_on(purchase)
    assert purchase.status == "credited"
    assert paid(vendor) == 40
    assert purchase.attempts.count() == (2 if fault in ("lost_request", "busy") else 1)


def test_a_lost_request_is_repeated_with_the_same_key_and_bytes(vendor):
    vendor.faults.plan({"kind": "lost_request", "times": 3})
    purchase = carry_on(propose(), steps=9)
    assert purchase.status == "credited"
    keys = {payment["purchase"] for payment in vendor.vendor.payments("")}
    assert keys == {str(purchase.key)}
    assert list(purchase.attempts.values_list("outcome", flat=True)) == [
        *("unknown", "unknown", "unknown", "accepted"),
    ]


def test_when_the_key_is_forgotten_a_person_decides(vendor):
    vendor.faults.plan({"kind": "lost_request"})
    purchase = carry_on(propose(), steps=2)
    later = NOON + DAY
    purchase = carry_on(purchase, now=later)
    assert (purchase.status, purchase.attempts.count(), pending_on()) == ("needs_person", 1, 40)
    treasury.deny_purchase(purchase.pk, reason="not in the console", actor=FINN, now=later)
    purchase.refresh_from_db()
    assert (purchase.status, pending_on(), paid(vendor)) == ("declined", 0, 0)


def test_what_turns_up_later_is_still_found(vendor):
    vendor.faults.plan({"kind": "lost_request"})
    purchase = carry_on(propose(), steps=2)
    purchase = carry_on(purchase, now=NOON + DAY)
    body = purchase.body.encode()
    vendor.vendor.pay(body, key=str(purchase.key), fault="", seconds=0)
    assert carry_on(purchase, now=NOON + 2 * DAY).status == "credited"
    assert balances(SIMULATED_CREDIT) == (40, 40)


def test_a_decline_gives_the_money_back(vendor):
    vendor.faults.plan({"kind": "decline"})
    purchase = carry_on(propose())
    assert (purchase.status, purchase.steps.last().note) == (
        "declined",
        "card_declined: The card was declined.",
    )
    assert balances(SIMULATED_RAIL) == (1000, 1000)
    assert paid(vendor) == 0


def test_the_rail_account_bounds_purchases(vendor):
    set_policy(daily_max=Decimal(1000))
    for _ in range(4):
        assert carry_on(propose("200.00")).status == "credited"
    fund_left = balances(SIMULATED_RAIL)
    assert fund_left == (200, 200)
    set_policy(daily_max=Decimal(2000), monthly_max=Decimal(2000), per_purchase_max=Decimal(300))
    purchase = carry_on(propose("300.00"))
    assert (purchase.status, purchase.attempts.count()) == ("refused", 0)
    assert "200.000000000 USD available" in purchase.steps.last().note
    assert PurchasePolicy.objects.get().declines == 1


@pytest.mark.parametrize("is_accepted", [True, False])
def test_three_d_secure_waits_for_a_person(vendor, is_accepted):
    vendor.faults.plan({"kind": "action"})
    purchase = carry_on(propose())
    assert (purchase.status, pending_on()) == ("needs_person", 40)
    with pytest.raises(refusals.PurchaseOpen):
        propose()
    asked = {"payment": purchase.vendor_id, "accept": is_accepted}
    requests.post(f"{vendor.url}/v1/confirmations", json=asked, timeout=5)
    assert carry_on(purchase).status == ("credited" if is_accepted else "declined")
    assert paid(vendor) == (40 if is_accepted else 0)


def test_money_is_in_transit_until_it_is_seen_as_credit(vendor):
    vendor.faults.plan({"kind": "late_credit", "seconds": 3600})
    purchase = carry_on(propose())
    assert (purchase.status, balances(SIMULATED_TRANSIT)) == ("settled", (40, 40))
    vendor.vendor.move_clock(3600)
    assert carry_on(purchase).status == "credited"
    assert balances(SIMULATED_TRANSIT) == (0, 0)


def test_a_reversal_is_new_transfers_and_reopens_nothing(vendor):
    vendor.faults.plan({"kind": "reversal", "seconds": 3600})
    purchase = carry_on(propose())
    vendor.vendor.move_clock(3600)
    purchase = carry_on(purchase, now=NOON + DAY)
    assert (purchase.status, purchase.reversed_at) == ("credited", NOON + DAY)
    assert balances(SIMULATED_CREDIT) == (0, 0)
    assert balances(SIMULATED_RAIL) == (1000, 1000)
    assert Transfer.objects.get(kind="reversal").reference == purchase.address


def test_a_reversal_before_the_credit_leaves_nothing_in_transit(vendor):
    vendor.faults.plan({"kind": "late_credit", "seconds": 7200})
    purchase = carry_on(propose())
    vendor.vendor._rows.execute("UPDATE payment SET reverses_at = 0")
    assert carry_on(purchase).reversed_at
    assert balances(SIMULATED_TRANSIT) == (0, 0)
    assert purchase.ask_at


def test_a_program_that_was_killed_is_found_by_the_clock(vendor, monkeypatch):
    def killed(*args, **options):
        raise KeyboardInterrupt

    purchase = carry_on(propose(), steps=1)
    with monkeypatch.context() as patch:
        patch.setattr("treasury.services.send_purchase.apply_answer", killed)
        with pytest.raises(KeyboardInterrupt):
            treasury.advance_purchase(purchase.pk, now=NOON)
    assert paid(vendor) == 40
    assert carry_on(purchase, now=NOON + MINUTE).status == "sending"
    assert carry_on(purchase, now=NOON + 3 * MINUTE).status == "credited"
    assert (paid(vendor), purchase.attempts.count()) == (40, 1)


def test_an_amount_that_differs_is_for_a_person(vendor):
    vendor.faults.plan({"kind": "lost_answer"})
    purchase = carry_on(propose(), steps=2)
    vendor.vendor._rows.execute("UPDATE payment SET amount = '41.00'")
    purchase = carry_on(purchase)
    assert (purchase.status, pending_on()) == ("needs_person", 40)
    assert purchase.steps.filter(note__contains="41.00").count() == 1


def test_a_purchase_is_cancelled_before_it_is_sent_and_not_after(vendor):
    purchase = carry_on(propose(), steps=1)
    treasury.cancel_purchase(purchase.pk, reason="not needed", actor=FINN, now=NOON)
    assert (carry_on(purchase).status, pending_on()) == ("cancelled", 0)
    sent = carry_on(propose())
    with pytest.raises(refusals.PurchaseEnded):
        treasury.cancel_purchase(sent.pk, reason="too late", actor=FINN, now=NOON)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "Infinity"])
def test_wrong_amounts_are_refused(amount):
    with pytest.raises(refusals.WrongPurchase):
        propose(amount)


# --- bounds and second persons --------------------------------------------------------------------


def test_bounds_of_a_purchase_a_day_and_a_month(vendor):
    vendor.vendor.add_funds("1000")
    fund("1000.00")
    with pytest.raises(refusals.PurchaseBoundReached, match="in one purchase"):
        propose("200.01")
    for _ in range(2):
        carry_on(propose("200.00"))
    with pytest.raises(refusals.PurchaseBoundReached, match="today") as refused:
        propose("0.01")
    assert refused.value.left == 0
    for days in (1, 2):
        carry_on(propose("200.00", now=NOON + days * DAY), now=NOON + days * DAY)
    carry_on(propose("199.99", now=NOON + 3 * DAY), now=NOON + 3 * DAY)
    with pytest.raises(refusals.PurchaseBoundReached, match="this month"):
        propose("0.02", now=NOON + 4 * DAY)
    assert paid(vendor) == Decimal("-0.01")


def test_what_is_unknown_counts_and_what_was_declined_does_not(vendor):
    vendor.faults.plan({"kind": "decline"})
    carry_on(propose("200.00"))
    vendor.faults.plan({"kind": "action"})
    carry_on(propose("200.00"))
    policy = PurchasePolicy.objects.get()
    assert spent(policy, now=NOON).of_day == 200


def test_above_an_amount_a_second_person_approves(vendor):
    make_decider("finn")
    set_policy(approval_above=Decimal(100))
    purchase = propose("150.00")
    assert carry_on(purchase).status == "proposed"
    purchase.refresh_from_db()
    with pytest.raises(SecondPersonNeeded):
        approve(purchase.approval, by=FINN)
    with pytest.raises(NotADecider):
        approve(purchase.approval, by=CAROL)
    approve(purchase.approval)
    assert carry_on(purchase).status == "credited"


def test_a_rejected_approval_refuses_the_purchase():
    set_policy(approval_above=Decimal(0))
    purchase = propose()
    purchase.refresh_from_db()
    security.reject(purchase.approval_id, reason="too much", actor=DORA, now=NOON)
    assert carry_on(purchase).status == "refused"
    assert "too much" in purchase.steps.last().note


def test_a_cancelled_purchase_cannot_be_approved():
    set_policy(approval_above=Decimal(0))
    purchase = propose()
    purchase.refresh_from_db()
    treasury.cancel_purchase(purchase.pk, reason="no", actor=FINN, now=NOON)
    with pytest.raises(ApprovalOutdated):
        approve(purchase.approval)


def test_a_paused_policy_buys_nothing_until_a_person_resumes_it():
    policy = PurchasePolicy.objects.get()
    assert treasury.pause_policy(policy.pk, reason="audit", actor=FINN, now=NOON)
    with pytest.raises(refusals.PolicyPaused):
        propose()
    assert treasury.resume_policy(policy.pk, reason="done", actor=FINN, now=NOON)
    assert propose().status == "approved"


def test_a_purchase_reserved_by_a_paused_policy_is_refused():
    purchase = propose()
    treasury.pause_policy(PurchasePolicy.objects.get().pk, reason="audit", actor=FINN, now=NOON)
    assert carry_on(purchase).status == "refused"


def test_what_the_database_refuses(vendor):
    """Someone with SQL cannot go around the bounds, the second person, the request or the order."""
    purchase = carry_on(propose(), steps=1)
    other = {
        "policy": purchase.policy,
        "payee": purchase.payee,
        "currency": "USD",
        "is_automatic": False,
        "reason": "x",
        "proposed_by": "x",
        "proposed_at": NOON,
        "status": "credited",
        "settled_at": NOON,
        "credited_at": NOON,
        "reserved_at": NOON,
    }
    refused = [
        ("purchase_is_within_its_policy", lambda: _insert(other, amount=Decimal(201))),
        ("purchase_is_within_its_policy", lambda: _insert(other, amount=Decimal(361))),
        ("purchase_one_open_per_policy", lambda: _insert(other, status="approved", amount=1)),
        ("Invalid transition", lambda: _update(status="credited")),
        ("Cannot update", lambda: _update(amount=39)),
        ("Cannot update", lambda: _update(key="0" * 32)),
        ("Cannot update", lambda: _update(reserved_at=NOON - DAY)),
        ("Cannot delete", lambda: Purchase.objects.all().delete()),
        ("Cannot update", lambda: PurchasePolicy.objects.update(daily_max=900)),
        ("Cannot update", lambda: Payee.objects.update(destination="me")),
        (
            "approved_by_a_second_person",
            lambda: PurchasePolicy.objects.update(approved_persons=[]),
        ),
    ]
    for says, act in refused:
        with pytest.raises((IntegrityError, DatabaseError), match=says), transaction.atomic():
            act()
    set_policy(approval_above=Decimal(10))
    with pytest.raises(IntegrityError, match="purchase_is_approved"), transaction.atomic():
        _insert(other, amount=11)


def _insert(columns, **changes):
    Purchase.objects.create(**columns | {"pending_id": 1} | changes)


def _update(**columns):
    Purchase.objects.update(**columns)


# --- payees and policies --------------------------------------------------------------------------


def test_one_person_cannot_add_a_payee_alone():
    terms = PayeeTerms(
        slug="mallory", provider="openai", method="rail", rail="simulator", destination="mallory"
    )
    approval, _ = treasury.propose_payee(terms, reason="x", actor=DORA, now=NOON)
    with pytest.raises(SecondPersonNeeded):
        approve(approval, by=DORA)
    assert not Payee.objects.filter(slug="mallory").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"slug": "openai"}, "already a payee"),
        ({"provider": "nobody"}, "no provider"),
        ({"destination": " "}, "where the payee"),
        ({"method": "person", "rail": "bank"}, "not mixed"),
    ],
)
def test_wrong_payees_are_refused(changes, says):
    terms = {
        "slug": "other",
        "provider": "openai",
        "method": "rail",
        "rail": "simulator",
        "destination": "x",
    }
    with pytest.raises(refusals.WrongPayee, match=says):
        treasury.propose_payee(PayeeTerms(**terms | changes), reason="x", actor=FINN, now=NOON)


def test_a_rail_that_only_collects_pays_nobody(monkeypatch):
    monkeypatch.setattr("treasury.rails.simulator.rail.SimulatorRail.capabilities", {"collect"})
    with pytest.raises(refusals.WrongPayee, match="cannot pay"):
        add_payee("other")


def test_a_retired_payee_is_paid_no_more():
    assert treasury.retire_payee("openai", reason="moved", actor=FINN, now=NOON)
    with pytest.raises(refusals.WrongPurchase, match="list of payees"):
        propose()
    with pytest.raises(refusals.WrongPolicy, match="on the list"):
        propose_policy()


def test_a_person_pays_and_confirms(settings):
    Provider.objects.create(slug="mistral", name="Mistral")
    add_payee(
        "mistral",
        provider="mistral",
        method="person",
        rail="bank",
        destination="https://console.mistral.ai/billing",
    )
    approve(propose_policy(payee="mistral")[0])
    fund("100.00", "rail:bank")
    policy = PurchasePolicy.objects.get(credit_account__name="credit:mistral")
    purchase = treasury.propose_purchase(
        policy.pk, Decimal(60), reason="needed", actor=FINN, now=NOON
    )
    purchase = carry_on(purchase)
    assert (purchase.status, pending_on("rail:bank")) == ("needs_person", 60)
    assert str(purchase.key) in purchase.steps.last().note
    with pytest.raises(refusals.WrongPurchase):
        treasury.confirm_purchase(purchase.pk, receipt=" ", actor=FINN, now=NOON)
    treasury.confirm_purchase(purchase.pk, receipt="R-17", actor=FINN, now=NOON)
    assert balances("credit:mistral") == (60, 60)
    with pytest.raises(refusals.PurchaseEnded):
        treasury.confirm_purchase(purchase.pk, receipt="R-17", actor=FINN, now=NOON)
