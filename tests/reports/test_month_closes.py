"""Months are locked when their checklist allows it, signed by two persons, and never change."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, ProgrammingError, connection, transaction

from keys import services as keys
from keys.books.queries.books_check import books_check
from keys.books.queries.spend import SpendFilter, spend_total
from keys.models import Organisation
from reports import services as reports
from reports.models import CLOSED_MEASURES, CloseLine, CostShare, MonthClose
from reports.queries.month_closes import checklist, period_to_close
from reports.refusals import (
    ChecklistUnmet,
    MonthNotLocked,
    MonthNotReopenable,
    SecondSignerNeeded,
    SignerUnknown,
)
from security import services as security
from security.actor import Actor
from security.models import AuditEntry
from security.refusals import ApprovalOutdated, NotADecider, SecondPersonNeeded
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gate.approvals import person
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report, settle
from tests.moments import NOON
from tests.reports.closing import (
    APRIL,
    IN_APRIL,
    IN_MAY,
    MARCH,
    MAY,
    WAIVED,
    check_books,
    lock,
    sign,
)
from tests.treasury.builders import RAIL, open_accounts
from tests.treasury.purchases import add_payee, make_decider
from treasury import services as treasury
from treasury.models import Difference

pytestmark = pytest.mark.django_db
VERA, PAUL = Actor.person("vera"), Actor.person("paul")


@pytest.fixture
def usage(people):
    """Two calls in March, of 100 and 7 tokens."""
    person("vera")
    person("paul")
    add_key("openai-1", rates=PAID, provider="openai")
    settle(hold(allocate("ada", label="task:report"), 200), 100)
    return report(allocate("carol"), 7)


def spend_in_april():
    """30 tokens. The books never go back, so it comes after all calls of March."""
    report(allocate("ada", now=IN_APRIL), 30, now=IN_APRIL)


def figures(close):
    close.refresh_from_db()
    return {name: getattr(close, name) for name in CLOSED_MEASURES}


def lines(close):
    return list(close.lines.order_by("pk").values())


def cost(tokens):
    return tokens * PAID.input / 1000


def items(month=MARCH, *, now=IN_APRIL, **organisation):
    settings = Organisation(**organisation)
    found = checklist(period_to_close(month, settings), settings, now=now)
    return {item.name: item for item in found}


def test_a_month_is_locked_with_the_figures_of_the_books(usage):
    close = lock()
    present = spend_total(SpendFilter(close.starts_at, close.ends_at))
    assert {name: getattr(present, name) for name in CLOSED_MEASURES} == figures(close)
    assert (close.tokens, close.calls, close.cost) == (107, 2, cost(107))
    groups = close.lines.values_list("cost_centre", "agent", "label", "tokens")
    assert list(groups) == [
        ("research", "ada", "task:report", 100),
        ("sales", "carol", "", 7),
    ]
    entry = AuditEntry.objects.about("month:2026-03").get()
    assert (entry.action, entry.actor) == ("month.lock", "vera")
    assert "books: agreed" in entry.reason
    assert_books_balance()


def test_an_open_item_refuses_and_a_reason_waives_it(usage):
    with pytest.raises(ChecklistUnmet) as refused:
        lock(waivers={"books": " ", "days": "made later", "bill-openai": "none came"})
    assert refused.value.items == ["books"]
    assert not MonthClose.objects.exists()
    check_books(IN_APRIL.date(), now=IN_APRIL)
    close = lock(waivers={"days": "made later", "bill-openai": "none came"})
    kept = {item["name"]: (item["is_met"], item["waiver"]) for item in close.checklist}
    assert kept["books"] == (True, "") and kept["days"] == (False, "made later")


def test_the_end_of_the_month_cannot_be_waived(usage):
    early = datetime(2026, 4, 1, 0, 59, tzinfo=UTC)
    with pytest.raises(ChecklistUnmet) as refused:
        lock(now=early, waivers=WAIVED | {"over": "in a hurry"})
    assert refused.value.items == ["over"]
    assert not items(now=early)["over"].is_met
    assert items(now=early + timedelta(minutes=1))["over"].is_met


def test_months_are_closed_one_after_the_other(usage):
    lock()
    spend_in_april()
    for month in (MARCH, MAY):
        with pytest.raises(ChecklistUnmet) as refused:
            lock(month, now=datetime(2026, 6, 2, tzinfo=UTC))
        assert refused.value.items == ["order"]
    assert lock(APRIL, now=IN_MAY).tokens == 30


def test_a_call_held_beyond_its_time_is_an_open_item(usage):
    hold(allocate("bob"), 50)
    assert not items()["holds"].is_met
    assert items()["holds"].figure == "1 call"
    keys.expire_charges(now=IN_APRIL)
    assert items()["holds"].is_met


def test_the_share_of_estimates_is_an_open_item(usage):
    keys.settle(
        charge=hold(allocate("bob"), 50),
        usage=keys.Usage(input_tokens=50),
        basis="estimated",
        now=NOON,
    )
    share = Decimal(50) * 100 / 157
    item = items()["estimates"]
    assert (item.is_met, item.figure) == (False, f"{share:.2f} %")
    assert items(estimated_share_warning_percent=32)["estimates"].is_met


def test_two_different_persons_sign(usage):
    close = lock()
    close = reports.sign_month(close, actor=VERA, now=IN_APRIL)
    assert close.status == "locked"
    with pytest.raises(SecondSignerNeeded):
        reports.sign_month(close, actor=VERA, now=IN_APRIL)
    # A second account of the same mailbox is the same person.
    person("vera2", email="Vera+2@example.org")
    with pytest.raises(SecondSignerNeeded):
        sign(close, "vera2")
    close = sign(close, "paul")
    assert (close.status, close.first_signed_by, close.second_signed_by) == (
        "signed",
        "vera",
        "paul",
    )
    with pytest.raises(MonthNotLocked):
        reports.sign_month(close, actor=PAUL, now=IN_APRIL)


@pytest.mark.parametrize("actor", [Actor.job("x"), Actor.command_line(), Actor.agent("ada")])
def test_only_persons_sign(usage, actor):
    with pytest.raises(SignerUnknown):
        reports.sign_month(lock(), actor=actor, now=IN_APRIL)


def test_the_database_refuses_one_signer(usage):
    close = sign(lock(), "vera")
    same = {
        "second_signed_by": "vera",
        "second_signed_at": IN_APRIL,
        "second_signed_persons": close.first_signed_persons,
        "status": "signed",
    }
    for changes in (same, {"status": "signed"}, {**same, "second_signed_persons": []}):
        with pytest.raises(IntegrityError), transaction.atomic():
            MonthClose.objects.filter(pk=close.pk).update(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": 1},
        {"tokens": 1},
        {"zone": "Asia/Tokyo"},
        {"ends_at": NOON},
        {"checklist": []},
        {"status": "open"},
        {"status": "locked"},
        {"first_signed_by": "eve"},
        {"adjusted_cost": 1},
    ],
)
def test_the_database_refuses_every_change_of_a_signed_month(usage, changes):
    close = sign(lock(), "vera", "paul")
    with pytest.raises(ProgrammingError, match="pgtrigger"), transaction.atomic():
        MonthClose.objects.filter(pk=close.pk).update(**changes)


def test_the_database_refuses_every_change_of_lines(usage):
    close = lock()
    line = close.lines.first()
    rows = CloseLine.objects.filter(pk=line.pk)
    line.pk, line.label = None, "more"
    for write in (line.save, rows.delete, lambda: rows.update(cost=1), close.delete):
        with pytest.raises(Exception, match="pgtrigger|Cannot delete"), transaction.atomic():
            write()


def test_an_adjustment_of_a_closed_month_counts_in_the_next_one(usage):
    spend_in_april()
    march = sign(lock(), "vera", "paul")
    before = figures(march), lines(march)
    adjust(usage, 10, now=IN_APRIL + timedelta(days=1))
    assert (figures(march), lines(march)) == before
    assert_books_balance()
    april = lock(APRIL, now=IN_MAY)
    (correction,) = april.lines.filter(corrects=march)
    assert (correction.agent, correction.tokens, correction.cost) == ("carol", 3, cost(3))
    assert (april.tokens, april.calls, april.cost) == (33, 1, cost(33))
    assert (figures(march), lines(march)) == before
    # It is carried once.
    assert not lock(MAY, now=datetime(2026, 6, 2, tzinfo=UTC)).lines.exists()
    assert_books_balance()


def test_the_late_answer_of_a_provider_counts_in_the_next_month(people):
    person("vera")
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    lent = allocate("ada")
    request = keys.HoldRequest(lent.pk, 200, 200, "call", route="/v1/messages")
    (charge,) = keys.hold_many([request], now=NOON)
    keys.expire_charges(now=NOON + timedelta(days=1))
    march = lock()
    assert march.tokens == 200 and march.open_estimates.count() == 1
    settle(charge, 150, now=IN_APRIL)
    assert_books_balance()
    april = lock(APRIL, now=IN_MAY)
    (correction,) = april.lines.all()
    assert (correction.corrects, correction.tokens) == (march, -50)
    assert april.cost == cost(150) - march.cost < 0
    assert_books_balance()


def test_another_zone_leaves_no_gap_and_no_overlap(usage):
    # 23:30 on 31 March in UTC is April in Berlin.
    last = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    report(allocate("bob", now=last), 11, now=last)
    spend_in_april()
    march = lock()
    before = figures(march), lines(march)
    keys.change_organisation(
        reporting_zone="Europe/Berlin", actor=ACTOR, reason="moved", now=IN_APRIL
    )
    april = lock(APRIL, now=IN_MAY)
    assert april.starts_at == march.ends_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert april.ends_at == datetime(2026, 4, 30, 22, 0, tzinfo=UTC)
    assert (march.tokens, april.tokens) == (118, 30)
    assert (figures(march), lines(march)) == before


def reopen(close, *, now=IN_APRIL, by="rita"):
    approval = reports.ask_reopening(close, reason="a bill came", actor=VERA, now=now)
    return security.approve(approval.pk, actor=Actor.person(by), now=now)


@pytest.fixture
def rita():
    decider = person("rita")
    decider.user_permissions.add(Permission.objects.get(codename="reopen_monthclose"))


def test_a_month_is_reopened_by_an_approval_and_closed_again(usage, rita):
    close = sign(lock(), "vera", "paul")
    before = figures(close), lines(close)
    with pytest.raises(NotADecider):
        reopen(close, by="paul")
    with pytest.raises(SecondPersonNeeded):
        approval = reports.ask_reopening(
            close, reason="me again", actor=Actor.person("rita"), now=IN_APRIL
        )
        security.approve(approval.pk, actor=Actor.person("rita"), now=IN_APRIL)
    approval = reopen(close)
    close.refresh_from_db()
    assert (close.status, close.reopening_id) == ("reopened", approval.pk)
    assert (figures(close), lines(close)) == before
    adjust(usage, 8)
    again = lock()
    assert (again.tokens, again.status) == (108, "locked")
    assert_books_balance()
    history = AuditEntry.objects.about("month:2026-03").values_list("action", flat=True)
    assert {"month.lock", "month.sign", "month.reopen"} <= set(history)


def test_only_the_latest_closed_month_is_reopened(usage, rita):
    march = lock()
    asked = reports.ask_reopening(march, reason="a bill came", actor=VERA, now=IN_APRIL)
    april = lock(APRIL, now=IN_MAY)
    with pytest.raises(MonthNotReopenable):
        reports.ask_reopening(march, reason="a bill came", actor=VERA, now=IN_MAY)
    with pytest.raises(ApprovalOutdated):
        security.approve(asked.pk, actor=Actor.person("rita"), now=IN_APRIL + timedelta(days=1))
    march.refresh_from_db()
    assert march.status == "locked"
    reopen(april, now=IN_MAY)
    reopen(march, now=IN_MAY)
    assert not MonthClose.objects.standing().exists()


def test_what_an_error_changes_is_found_by_the_books_check(usage):
    lock()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE reports_closeline SET cost = cost + 1 WHERE agent = 'ada'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    broken = [finding.check.name for finding in books_check() if finding.count]
    assert broken == ["9 closed-month-lines", "9 closed-month-recount"]


def test_an_open_difference_from_a_bill_is_an_open_item(usage):
    content = b"day,amount\n2026-03-10,9\n"
    file = treasury.ReportFile(provider="openai", format="csv", content=content)
    treasury.import_report(file, actor=ACTOR, now=IN_APRIL)
    assert items()["differences"].is_met
    treasury.reconcile("openai", since=MARCH, until=date(2026, 3, 31), actor=ACTOR, now=IN_APRIL)
    item = items()["differences"]
    assert (item.is_met, item.figure, item.can_be_waived) == (False, "1 difference", True)
    with pytest.raises(ChecklistUnmet) as refused:
        lock()
    assert refused.value.items == ["differences"]
    found = Difference.objects.get()
    treasury.explain_difference(found.pk, reason="a fee", actor=ACTOR, now=IN_APRIL)
    assert items()["differences"].is_met and lock()


def test_an_open_difference_from_a_statement_is_an_open_item(usage):
    assert "rail_statements" not in items()
    open_accounts()
    content = b"day,amount,balance\n2026-03-10,-9.00,91.00\n"
    file = treasury.RailStatementFile(account=RAIL, format="csv", content=content)
    treasury.import_rail_statement(file, actor=ACTOR, now=IN_APRIL)
    item = items()["rail_statements"]
    assert (item.is_met, item.figure) == (False, "2 differences")
    assert items()["differences"].is_met
    for found in Difference.objects.all():
        treasury.explain_difference(found.pk, reason="a fee", actor=ACTOR, now=IN_APRIL)
    assert items()["rail_statements"].is_met


def test_a_share_for_a_closed_cost_centre_is_an_open_item(usage):
    share = {"source": "research", "method": "even", "targets": {"sales": None}}
    reports.share_costs(**share, actor=ACTOR, reason="agreed", now=NOON)
    assert "shares" not in items()
    end = keys.OpenWorkRule.END
    keys.close_cost_centre(
        "sales", agents_to="org", open_work=end, reason="merged", actor=ACTOR, now=NOON
    )
    item = items()["shares"]
    assert (item.is_met, item.figure, item.can_be_waived) == (False, "sales", True)
    with pytest.raises(ChecklistUnmet) as refused:
        lock()
    assert refused.value.items == ["shares"]
    reports.stop_sharing(CostShare.objects.get(), actor=ACTOR, reason="merged", now=NOON)
    assert lock().is_standing


def compare(*days, provider="openai", amount="0.000321", now=IN_APRIL):
    """Compare days of March with a bill of the provider."""
    content = f"day,amount\n2026-03-10,{amount}\n2026-03-01,0\n2026-03-31,0\n".encode()
    file = treasury.ReportFile(provider=provider, format="csv", content=content)
    treasury.import_report(file, actor=ACTOR, now=now)
    since, until = (date(2026, 3, day) for day in days)
    treasury.reconcile(provider, since=since, until=until, actor=ACTOR, now=now)


def test_a_bill_that_nobody_compared_is_an_open_item(usage):
    item = items()["bill-openai"]
    assert (item.is_met, item.figure, item.can_be_waived) == (False, "0 of 31 days compared", True)
    with pytest.raises(ChecklistUnmet) as refused:
        lock(waivers={name: reason for name, reason in WAIVED.items() if name != "bill-openai"})
    assert refused.value.items == ["bill-openai"]
    compare(1, 30)
    assert items()["bill-openai"].figure == "30 of 31 days compared"
    compare(20, 31)
    assert items()["bill-openai"].is_met
    # Each provider has a bill of its own.
    add_key("nvidia-1", rates=PAID)
    report(allocate("bob", provider="nvidia"), 5)
    assert not items()["bill-nvidia"].is_met and items()["bill-openai"].is_met


def test_a_day_counts_as_compared_only_when_it_was_over(usage):
    compare(1, 31, now=datetime(2026, 3, 20, 23, 59, tzinfo=UTC))
    assert items()["bill-openai"].figure == "19 of 31 days compared"


def test_no_bill_is_expected_of_what_costs_no_real_money(usage, settings):
    add_key("free-1", provider="nvidia")
    add_key("sandbox-1", provider="sandbox", rates=PAID, sandbox=True)
    for provider in ("nvidia", "sandbox"):
        assert report(allocate("bob", provider=provider), 5)
    assert [name for name in items() if name.startswith("bill-")] == ["bill-openai"]
    settings.SIMULATOR_URL = "http://127.0.0.1:1"
    make_decider()
    add_payee("openai")
    assert not [name for name in items() if name.startswith("bill-")]
