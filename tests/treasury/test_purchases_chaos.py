"""Purchases by three programs that are killed, while the rail loses, declines and reverses.

`BUTLER_CHAOS_PURCHASES` says how many; a run of 10,000 is for a machine of its own.
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
from django.db import connection
from django.utils import timezone

from common.refusal import Refusal
from keys.models import Provider
from tests.moments import NOON
from tests.treasury.builders import broken
from tests.treasury.purchases import FINN, add_payee, approve, fund, make_decider
from tests.treasury.purchases import propose_policy as ask_policy
from tests.treasury.simulator import simulator
from treasury import services as treasury
from treasury.models import Account, Purchase, PurchasePolicy
from treasury.queries import due_purchases

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PURCHASES = int(os.environ.get("BUTLER_CHAOS_PURCHASES", "40"))
# A second of the test is an hour of purchases.
SPEED = 3600
PROVIDERS = ("openai", "anthropic", "mistral", "nvidia")
FUNDS = Decimal(100_000)
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
def vendor(settings):
    with simulator(funds=str(FUNDS)) as server:
        settings.SIMULATOR_URL = server.url
        server.faults.plan({"shares": SHARES, "seed": 7, "seconds": 1})
        yield server


@pytest.fixture
def office(vendor):
    """Four providers, each with a policy; the bounds of a day are met now and then."""
    make_decider()
    for slug in PROVIDERS:
        Provider.objects.get_or_create(slug=slug, defaults={"name": slug})
        add_payee(slug, provider=slug, destination=slug)
        terms = {
            "payee": slug,
            "per_purchase_max": Decimal(20),
            "daily_max": Decimal(200),
            "monthly_max": Decimal(20_000),
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
        self._environ = os.environ | {"DATABASE_URL": address, "PYTHONPATH": str(ROOT)}
        self._command = [sys.executable, "-m", "tests.treasury.chaos_worker"]
        self._command += [url, str(PURCHASES), str(SPEED), str(time.time())]
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

    def stop(self) -> None:
        for program in self._running:
            program.kill()
            program.wait()


def test_nothing_is_bought_twice_and_no_bound_is_exceeded(office, vendor):
    programs = Programs(vendor.url)
    try:
        end = time.monotonic() + 180 + PURCHASES
        while Purchase.objects.count() < PURCHASES and time.monotonic() < end:
            time.sleep(0.2)
            confirm_some(vendor)
            if Purchase.objects.count() >= 5 * (programs.killed + 1):
                programs.strike()
    finally:
        programs.stop()
    assert Purchase.objects.count() >= PURCHASES
    assert programs.killed > 0
    finish(vendor)
    check(vendor)


def confirm_some(vendor):
    """A person answers 3-D Secure for what waits; every third time with no."""
    for payment in vendor.vendor.payments(""):
        if payment["status"] == "requires_action":
            vendor.routes.answer(
                "POST",
                "/v1/confirmations",
                {},
                b'{"payment": "%s", "accept": %s}'
                % (payment["id"].encode(), random.choice([b"true", b"true", b"false"])),
                "",
            )
    known = {payment["purchase"] for payment in vendor.vendor.payments("")}
    # And says that what the rail has forgotten was not paid.
    for purchase in Purchase.objects.filter(status="needs_person"):
        if str(purchase.key) not in known:
            with suppress(Refusal):
                treasury.deny_purchase(
                    purchase.pk, reason="not in the console", actor=FINN, now=NOON
                )


def finish(vendor):
    """No more faults: all that can be known becomes known."""
    vendor.faults.clear()
    vendor.vendor.move_clock(3600)
    now = NOON + timedelta(seconds=600 * SPEED)
    for _ in range(40):
        confirm_some(vendor)
        now += timedelta(minutes=61)
        due = due_purchases(now=now)
        open_ones = Purchase.objects.open().values_list("pk", flat=True)
        for purchase_id in {*due, *open_ones}:
            treasury.advance_purchase(purchase_id, now=now)
        if not Purchase.objects.open().exclude(status="needs_person").exists() and not due:
            return


def check(vendor):
    payments = {payment["purchase"]: payment for payment in vendor.vendor.payments("")}
    assert len(payments) == len(vendor.vendor.payments("")), "a purchase was paid twice"
    for purchase in Purchase.objects.all():
        payment = payments.get(str(purchase.key))
        is_paid = payment is not None and payment["status"] in ("succeeded", "reversed")
        assert is_paid == (purchase.settled_at is not None), (purchase, payment)
        assert bool(purchase.reversed_at) == (is_paid and payment["status"] == "reversed")
        assert not is_paid or Decimal(payment["amount"]) == purchase.amount
    rail = Account.objects.get(name="rail:simulator")
    assert rail.balance == vendor.vendor.balance()
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
