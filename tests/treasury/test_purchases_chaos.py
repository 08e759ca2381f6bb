"""Purchases and their refunds by three programs that are killed, as PostgreSQL is, while the rail
loses, declines and reverses.

`BUTLER_CHAOS_PURCHASES` says how many; a run of 10,000 is for a machine of its own.
`BUTLER_CHAOS_SECONDS`: after that, as many as there are have to do.
"""

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Count, Q
from django.utils import timezone

from common.refusal import Refusal
from keys.models import Provider
from tests.database_template import copy_template
from tests.flows.chaos import Database
from tests.moments import NOON
from tests.treasury.builders import broken
from tests.treasury.purchases import FINN, add_payee, approve, fund, make_decider
from tests.treasury.purchases import propose_policy as ask_policy
from tests.treasury.simulator import simulator
from treasury import services as treasury
from treasury.models import (
    Account,
    Purchase,
    PurchaseAttempt,
    PurchasePolicy,
    PurchaseStatus,
    Refund,
    Transfer,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("races"),
]

PURCHASES = int(os.environ.get("BUTLER_CHAOS_PURCHASES", "40"))
SECONDS = int(os.environ.get("BUTLER_CHAOS_SECONDS", "0"))
PROVIDERS = [f"provider-{number}" for number in range(max(4, PURCHASES // 66))]
# A second of the test is so many of purchases: each provider sells some twenty a day.
SPEED = 3600 if PURCHASES < 1000 else 240
# After how many purchases one of the programs is killed, and PostgreSQL.
KILL_EACH, KILL_DATABASE_AFTER = max(8, PURCHASES // 100), max(25, PURCHASES // 10)
FUNDS = Decimal(1_000_000)
MONTHLY_MAX = Decimal(700)
SHARES = {
    "lost_request": 0.10,
    "lost_answer": 0.10,
    "server_error": 0.06,
    "in_use": 0.04,
    "busy": 0.04,
    "decline": 0.08,
    "action": 0.05,
    "delay": 0.08,
    "late_credit": 0.08,
    "reversal": 0.08,
}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def database(tmp_path, transactional_db):
    """A PostgreSQL of its own, which may be killed."""
    copy_template(tmp_path / "postgres")
    with Database(tmp_path / "postgres").running() as database:
        yield database


@pytest.fixture
def vendor(settings):
    with simulator(funds=str(FUNDS)) as server:
        settings.SIMULATOR_URL = server.url
        server.faults.plan({"shares": SHARES, "seed": 7, "seconds": 1})
        yield server


@pytest.fixture
def office(database, vendor):
    """A policy for each provider; the bounds of a day and a month are met now and then."""
    make_decider()
    for slug in PROVIDERS:
        Provider.objects.get_or_create(slug=slug, defaults={"name": slug})
        add_payee(slug, provider=slug, destination=slug)
        terms = {
            "payee": slug,
            "per_purchase_max": Decimal(20),
            "daily_max": Decimal(200),
            "monthly_max": MONTHLY_MAX,
            "cool_off_seconds": 60,
            "declines_max": 10_000,
        }
        approve(ask_policy(**terms)[0])
    fund(str(FUNDS))


class Programs:
    """Three programs that carry purchases on; `strike` kills one, and another takes its place."""

    def __init__(self, url: str) -> None:
        database = connection.settings_dict
        address = f"postgres://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
        self.began = time.time()
        self._environ = os.environ | {"DATABASE_URL": address, "PYTHONPATH": str(ROOT)}
        self._command = [sys.executable, "-m", "tests.treasury.chaos_worker"]
        self._command += [url, str(PURCHASES), str(SPEED), str(self.began)]
        self._running = [self._start() for _ in range(3)]
        self.killed = 0

    def _start(self) -> subprocess.Popen:
        return subprocess.Popen(self._command, env=self._environ, cwd=ROOT)

    def strike(self) -> None:
        """Kill -9."""
        number = random.randrange(3)
        self._running[number].kill()
        self._running[number].wait()
        self._running[number] = self._start()
        self.killed += 1

    def are_running(self) -> bool:
        """Whether none has ended by itself."""
        return all(program.poll() is None for program in self._running)

    def stop(self) -> None:
        for program in self._running:
            program.kill()
            program.wait()


def test_nothing_is_bought_twice_and_no_bound_is_exceeded(office, vendor, database):
    programs, databases = Programs(vendor.url), 0
    try:
        end = time.monotonic() + (SECONDS or 180 + PURCHASES)
        while (count := purchases_so_far(vendor)) < PURCHASES and time.monotonic() < end:
            if count >= KILL_EACH * (programs.killed + 1):
                programs.strike()
            if count >= KILL_DATABASE_AFTER * (databases + 1):
                database.kill()
                databases += 1
            assert programs.are_running()
    finally:
        programs.stop()
    assert SECONDS or Purchase.objects.count() >= PURCHASES
    assert programs.killed > 0 and databases > 0
    print(f"{time.time() - programs.began:.0f} s, {programs.killed} + {databases} kills")  # noqa: T201
    finish(vendor, programs)
    check(vendor)
    print(summary())  # noqa: T201 - what it was


def purchases_so_far(vendor) -> int:
    """How many there are; persons answer what waits for them. As the programs do, the test connects
    again if PostgreSQL goes away just then, and counts none."""
    time.sleep(0.2)
    try:
        confirm_some(vendor)
        give_some_back(vendor)
        return Purchase.objects.count()
    except (OperationalError, InterfaceError):
        connection.close()
        return 0


def confirm_some(vendor):
    """A person answers 3-D Secure for what waits; every third time with no. And says that what the
    rail has forgotten was not paid."""
    for purchase in Purchase.objects.filter(status="needs_person"):
        payments = vendor.vendor.payments(str(purchase.key))
        if not payments:
            with suppress(Refusal):
                treasury.deny_purchase(
                    purchase.pk, reason="not in the console", actor=FINN, now=NOON
                )
        elif payments[0]["status"] == "requires_action":
            vendor.routes.answer(
                "POST",
                "/v1/confirmations",
                {},
                b'{"payment": "%s", "accept": %s}'
                % (payments[0]["id"].encode(), random.choice([b"true", b"true", b"false"])),
                "",
            )
    for refund in Refund.objects.filter(status="needs_person"):
        if not vendor.vendor.refunds(str(refund.key)):
            with suppress(Refusal):
                treasury.deny_refund(refund.pk, reason="not in the console", actor=FINN, now=NOON)


def give_some_back(vendor):
    """The vendor gives money back that nobody has asked for."""
    if random.random() > 0.02:
        return
    payment = random.choice(vendor.vendor.payments("") or [None])
    if payment and payment["credited"] and payment["status"] == "succeeded":
        asked = b'{"payment": "%s", "amount": "0.01"}' % payment["id"].encode()
        vendor.routes.answer("POST", "/simulator/refunds", {}, asked, "")


def questions(vendor):
    """The payments for which the rail waits for a person's 3-D Secure: it has taken them from its
    own balance, and they are only set aside in the ledger."""
    for purchase in Purchase.objects.filter(status="needs_person"):
        for payment in vendor.vendor.payments(str(purchase.key)):
            yield payment["status"] == "requires_action"


def finish(vendor, programs):
    """No more faults: all that can be known becomes known."""
    vendor.faults.clear()
    vendor.vendor.move_clock(3600)
    now = NOON + timedelta(seconds=(time.time() - programs.began) * SPEED)
    for _ in range(40):
        confirm_some(vendor)
        now += timedelta(minutes=61)
        under_way = Purchase.objects.filter(
            Q(pk__in=Purchase.objects.open()) | Q(status=PurchaseStatus.SETTLED, reversed_at=None)
        )
        for purchase_id in under_way.values_list("pk", flat=True):
            treasury.advance_purchase(purchase_id, now=now)
        refunds = Refund.objects.under_way()
        for refund_id in refunds.values_list("pk", flat=True):
            treasury.advance_refund(refund_id, now=now)
        is_settled = not (under_way.exclude(status="needs_person").exists() or refunds.exists())
        if is_settled and not any(questions(vendor)):
            break
    for purchase_id in Purchase.objects.filter(status="credited").values_list("pk", flat=True):
        treasury.advance_purchase(purchase_id, now=now)


def check(vendor):
    payments = {payment["purchase"]: payment for payment in vendor.vendor.payments("")}
    assert len(payments) == len(vendor.vendor.payments("")), "a purchase was paid twice"
    for purchase in Purchase.objects.all():
        payment = payments.get(str(purchase.key))
        is_paid = payment is not None and payment["status"] in ("succeeded", "reversed")
        assert is_paid == (purchase.settled_at is not None), (purchase, payment)
        assert bool(purchase.reversed_at) == (is_paid and payment["status"] == "reversed")
        assert not is_paid or Decimal(payment["amount"]) == purchase.amount
    check_refunds(vendor)
    rail = Account.objects.get(name="rail:simulator")
    assert rail.balance == vendor.vendor.balance()
    assert FUNDS - rail.balance == money_out()
    for provider in PROVIDERS:
        credit = Account.objects.get(name=f"credit:{provider}")
        assert credit.balance == vendor.vendor.credit(provider)
        assert Account.objects.get(name=f"transit:{provider}").balance == 0
    assert broken() == []
    check_bounds()
    # What nobody knows is on a person's list, with its money set aside.
    waiting = Purchase.objects.open()
    assert {each.status for each in waiting} <= {"needs_person"}
    assert rail.credits_pending == sum(each.amount for each in waiting)


def check_refunds(vendor):
    """Each is one of the vendor's, and no purchase has brought back more than it cost."""
    told = defaultdict(Decimal)
    for refund in Refund.objects.all():
        assert refund.ended_at or refund.status == "settled", refund
        if refund.source == "asked":
            theirs = vendor.vendor.refunds(str(refund.key))
            is_back = bool(theirs) and theirs[0]["status"] == "succeeded"
            assert len(theirs) <= 1 and is_back == (refund.status == "settled"), (refund, theirs)
            assert not is_back or Decimal(theirs[0]["amount"]) == refund.amount
        booked = Transfer.objects.filter(idempotency_key=f"refund {refund.key}")
        assert booked.count() == (refund.status == "settled"), refund
        if refund.status == "settled":
            told[str(refund.purchase.key)] += refund.amount
    for payment in vendor.vendor.payments(""):
        back = told.pop(payment["purchase"], 0)
        assert back == Decimal(payment["refunded"]) <= Decimal(payment["amount"]), payment
    assert not told


def money_out() -> Decimal:
    """What was approved and paid, without what came back, by the purchases and refunds alone."""
    back = defaultdict(Decimal)
    for refund in Refund.objects.filter(status="settled"):
        back[refund.purchase_id] += refund.amount
    paid = Purchase.objects.exclude(settled_at=None).filter(reversed_at=None)
    return sum((each.amount - back[each.pk] for each in paid), Decimal(0))


def check_bounds():
    days, months = defaultdict(Decimal), defaultdict(Decimal)
    for purchase in Purchase.objects.exclude(reserved_at=None).exclude(
        status__in=["declined", "refused", "cancelled"]
    ):
        day = purchase.reserved_at.astimezone(timezone.get_fixed_timezone(0)).date()
        days[purchase.policy_id, day] += purchase.amount
        months[purchase.policy_id, day.month] += purchase.amount
        assert purchase.amount <= 20
    policy = PurchasePolicy.objects.first()
    assert all(amount <= policy.daily_max for amount in days.values())
    assert all(amount <= policy.monthly_max for amount in months.values())


def summary() -> dict[str, object]:
    """How the purchases ended."""
    counts = Purchase.objects.values_list("status").annotate(count=Count("pk")).order_by("status")
    reversed_ones = Purchase.objects.exclude(reversed_at=None).count()
    refunds = Refund.objects.values_list("source", "status").annotate(count=Count("pk"))
    return (
        dict(counts)
        | {"reversed": reversed_ones, "attempts": PurchaseAttempt.objects.count()}
        | {f"refund {source} {status}": count for source, status, count in refunds.order_by()}
    )
