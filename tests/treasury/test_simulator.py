"""The simulator of payments as a vendor, and the rail that reads its answers."""

import subprocess
import sys
from decimal import Decimal

import pytest
import requests

from tests.treasury.simulator import body, rail_of, simulator
from treasury.rails.base import Capability, Outcome
from treasury.rails.simulator.rail import SimulatorRail


@pytest.fixture
def vendor():
    with simulator() as server:
        yield server


@pytest.fixture
def rail(vendor):
    return rail_of(vendor)


def test_a_payment_is_made_once_for_a_key(vendor, rail):
    first, again = rail.pay(body(rail), key="k-1"), rail.pay(body(rail), key="k-1")
    assert first == again
    assert (first.outcome, first.amount) == (Outcome.ACCEPTED, 40)
    assert rail.balance() == 960
    assert rail.find("p-1").outcome == Outcome.SETTLED
    assert vendor.vendor.credit("openai") == 40


def test_a_key_of_another_request_is_refused(rail):
    rail.pay(body(rail), key="k-1")
    refused = rail.pay(body(rail, "41.00"), key="k-1")
    assert (refused.outcome, refused.code) == (Outcome.REFUSED, "idempotency_mismatch")
    assert rail.balance() == 960


@pytest.mark.parametrize(
    ("fault", "outcome", "balance"),
    [
        ("lost_request", Outcome.UNKNOWN, 1000),
        ("lost_answer", Outcome.UNKNOWN, 960),
        ("server_error", Outcome.UNKNOWN, 960),
        ("in_use", Outcome.UNKNOWN, 960),
        ("busy", Outcome.UNKNOWN, 1000),
        ("decline", Outcome.DECLINED, 1000),
        ("action", Outcome.ACTION, 960),
        ("delay", Outcome.ACCEPTED, 960),
    ],
)
def test_each_fault_is_what_it_says(vendor, rail, fault, outcome, balance):
    vendor.faults.plan({"kind": fault})
    assert rail.pay(body(rail), key="k-1").outcome == outcome
    assert rail.balance() == balance


def test_what_a_lost_answer_said_can_be_read(vendor, rail):
    vendor.faults.plan({"kind": "lost_answer"})
    rail.pay(body(rail), key="k-1")
    assert rail.find("p-1").outcome == Outcome.SETTLED
    assert rail.find("p-2").outcome == Outcome.ABSENT
    assert rail.pay(body(rail), key="k-1").vendor_id == rail.find("p-1").vendor_id
    assert rail.balance() == 960


def test_time_settles_credits_and_reverses(vendor, rail):
    for fault in ("delay", "late_credit", "reversal"):
        vendor.faults.plan({"kind": fault, "seconds": 60})
    for number, _ in enumerate(("delay", "late_credit", "reversal")):
        rail.pay(body(rail, purchase=f"p-{number}"), key=f"k-{number}")
    delayed, late, reversed_later = (rail.find(f"p-{number}") for number in range(3))
    assert (delayed.outcome, late.is_credited) == (Outcome.ACCEPTED, False)
    assert (reversed_later.is_credited, reversed_later.is_reversed) == (True, False)
    vendor.vendor.move_clock(60)
    assert rail.find("p-0").is_credited
    assert rail.find("p-1").is_credited
    assert rail.find("p-2").is_reversed
    assert rail.balance() == 1000 - 80
    lines = rail.statement(after=0)
    assert sum(line.amount for line in lines) == 920
    assert [line.kind for line in lines][-1] == "reversal"


@pytest.mark.parametrize(("is_accepted", "outcome"), [(True, "settled"), (False, "declined")])
def test_a_person_answers_three_d_secure(vendor, rail, is_accepted, outcome):
    vendor.faults.plan({"kind": "action"})
    payment = rail.pay(body(rail), key="k-1").vendor_id
    asked = {"payment": payment, "accept": is_accepted}
    requests.post(f"{vendor.url}/v1/confirmations", json=asked, timeout=5).raise_for_status()
    assert rail.find("p-1").outcome == outcome


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "many"])
def test_wrong_amounts_are_refused(rail, amount):
    order = body(rail).replace("40.00", amount)
    assert rail.pay(order, key="k-1").outcome == Outcome.REFUSED
    assert rail.balance() == 1000


def test_more_than_there_is_is_declined(rail):
    declined = rail.pay(body(rail, "1000.01"), key="k-1")
    assert (declined.outcome, declined.code) == (Outcome.DECLINED, "insufficient_funds")


def test_nobody_there_is_an_answer_too():
    rail = SimulatorRail("http://127.0.0.1:1", timeout_seconds=1)
    assert rail.pay(body(rail), key="k-1").outcome == Outcome.UNKNOWN
    assert rail.find("p-1").outcome == Outcome.UNKNOWN
    assert (rail.balance(), rail.statement(after=0)) == (None, None)


def test_chances_are_the_same_for_the_same_seed(vendor):
    drawn = []
    for _ in range(2):
        vendor.faults.plan({"shares": {"decline": 0.3, "lost_answer": 0.3}, "seed": 7})
        drawn.append([vendor.faults.take()[0] for _ in range(50)])
    assert drawn[0] == drawn[1]
    assert {*drawn[0]} == {"decline", "lost_answer", ""}


def test_the_rail_cannot_collect(rail):
    assert Capability.COLLECT not in rail.capabilities


def test_the_program_keeps_payments_in_its_file(tmp_path):
    command = [sys.executable, "-m", "treasury.rails.simulator", "--port", "0"]
    command += ["--state", str(tmp_path / "payments"), "--funds", "100.00"]
    for balance in (60, 60):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            rail = SimulatorRail(program.stdout.readline().split()[-1])
            assert rail.pay(body(rail), key="k-1").outcome == Outcome.ACCEPTED
            assert rail.balance() == Decimal(balance)
            program.kill()
