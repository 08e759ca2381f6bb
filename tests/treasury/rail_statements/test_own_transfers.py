"""Payouts to an account of one's own: booked from both statements, in transit between them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert
from security.models import AuditEntry
from tests.dashboard.test_agents import signed_in
from tests.moments import NOON
from tests.treasury.builders import FUNDING, RAIL, balances, broken, entry, open_account
from tests.treasury.builders import open_accounts as open_all
from tests.treasury.builders import transfer as post
from tests.treasury.purchases import FINN
from tests.treasury.rail_accounts import add_rail
from treasury import services as treasury
from treasury.models import Account, Difference, RailMatch, Transfer
from treasury.queries.transit import oldest_in_transit
from treasury.refusals import AccountOverdrawn, DifferenceSettled, WrongDifference
from treasury.services import RailStatementFile

pytestmark = pytest.mark.django_db
TODAY = NOON.date()
YESTERDAY, LATER = TODAY - timedelta(days=1), TODAY + timedelta(days=5)
CARDS, TRANSIT = "rail:cards", "transit:own:usd"


@pytest.fixture
def rails(db):
    """A bank, and a rail with 100.00 since yesterday."""
    open_all()
    open_account(CARDS, scale=2)
    post(entry(CARDS, FUNDING, "100.00", effective_on=YESTERDAY, reference="OPEN-1"))


def line(amount, *, account=CARDS, day=TODAY, name="po_1", opening="100.00"):
    """Import a statement of one line; returns its difference."""
    opening = Decimal(opening)
    file = RailStatementFile(
        account=account,
        format="csv",
        content=f"day,amount,reference\n{day},{amount},{name}\n".encode(),
        opening=opening,
        closing=opening + Decimal(amount),
    )
    statement, _ = treasury.import_rail_statement(file, actor=FINN, now=NOON)
    return Difference.objects.get(statement=statement, kind="missing_transfer")


def book(found, *, reason="the weekly payout"):
    return treasury.book_difference_as_own_transfer(found.pk, reason=reason, actor=FINN, now=NOON)


def test_a_payout_is_in_transit_until_it_arrives(rails):
    left = book(line("-40.00"))
    assert (left.status, balances(CARDS)[0], balances(TRANSIT)[0]) == ("explained", 60, 40)
    booked = Transfer.objects.get(kind="own")
    assert (booked.debit.name, booked.reference, booked.effective_on) == (TRANSIT, "po_1", TODAY)
    assert f"transfer {booked.pk}" in left.reason
    entries = AuditEntry.objects.about(f"difference:{left.pk}")
    assert entries.get().actor == FINN.name
    arrived = book(line("40.00", account=RAIL, day=LATER, name="STRIPE", opening="0.00"))
    assert (balances(RAIL)[0], balances(TRANSIT)[0]) == (40, 0) and not broken()
    assert set(RailMatch.objects.values_list("rule", flat=True)) == {"own"}
    for found in (left, arrived):
        assert treasury.match_rail_statements(found.account, actor=FINN, now=NOON) == 0


def test_a_payout_that_failed_comes_back(rails):
    book(line("-40.00"))
    book(line("40.00", day=LATER, opening="60.00"))
    assert (balances(CARDS)[0], balances(TRANSIT)[0]) == (100, 0) and not broken()


def test_no_more_arrives_than_has_left(rails):
    early = line("40.00", account=RAIL, opening="0.00")
    with pytest.raises(AccountOverdrawn):
        book(early)
    book(line("-39.99"))
    with pytest.raises(AccountOverdrawn):
        book(early)
    early.refresh_from_db()
    assert early.status == "open" and balances(RAIL)[0] == 0 and not broken()


def test_play_money_never_arrives_at_a_real_account(rails):
    add_rail("cards")
    book(line("-40.00"))
    assert balances(f"play-{TRANSIT}")[0] == 40
    with pytest.raises(AccountOverdrawn):
        book(line("40.00", account=RAIL, day=LATER, opening="0.00"))
    assert not Account.objects.filter(name=TRANSIT).exists()


def test_only_an_open_line_that_the_ledger_does_not_have_is_booked_once_with_a_reason(rails):
    found = line("-40.00")
    with pytest.raises(WrongDifference, match="Say why"):
        book(found, reason=" ")
    book(found)
    with pytest.raises(DifferenceSettled):
        book(found)
    post(entry(CARDS, FUNDING, "5.00", effective_on=YESTERDAY, reference="LATE-1"))
    line("1.00", day=LATER, name="X-1", opening="60.00")
    for each in Difference.objects.filter(line=None):
        with pytest.raises(WrongDifference, match="Only a line"):
            book(each)
    assert Difference.objects.filter(line=None).exists()
    assert Transfer.objects.filter(kind="own").count() == 1


def test_finance_books_it_on_the_page(rails, people):
    found = line("-40.00")
    address = f"/treasury/reconciliation/{found.pk}"
    fay, al = signed_in("fay", role="finance"), signed_in("al", role="auditor")
    assert "Book as an own transfer" not in al.get(address).content.decode()
    asked = {"reason": "the weekly payout"}
    assert al.post(f"{address}?act=own", asked).status_code == 403
    assert "Book as an own transfer" in fay.get(address).content.decode()
    assert fay.post(f"{address}?act=own", asked).status_code == 302
    shown = fay.get(address).content.decode()
    assert "booked as an own transfer" in shown and "Book as an own transfer" not in shown


# ---- What does not arrive ------------------------------------------------------------------------


def late() -> Alert | None:
    return Alert.objects.filter(kind="money_in_transit", resolved_at=None).first()


def watch(*, days: int) -> Alert | None:
    assert treasury.watch_transit(now=NOON + timedelta(days=days)) == 1
    return late()


def test_what_does_not_arrive_in_time_raises_one_alert_that_ends_when_it_does(rails, settings):
    settings.TRANSIT_DAYS = 7
    book(line("-40.00"))
    assert watch(days=7) is None
    alert = watch(days=8)
    assert alert and f"since {TODAY}" in alert.title
    assert "40.00 USD" in alert.detail and CARDS in alert.detail
    assert watch(days=9) == alert and Alert.objects.filter(kind="money_in_transit").count() == 1
    book(line("40.00", account=RAIL, day=LATER, name="STRIPE", opening="0.00"))
    assert late() is None and watch(days=30) is None


def test_what_left_last_is_still_on_its_way(rails):
    book(line("-40.00"))
    book(line("-10.00", day=LATER, name="po_2", opening="60.00"))
    book(line("40.00", account=RAIL, day=LATER, opening="0.00"))
    assert oldest_in_transit(Account.objects.get(name=TRANSIT)).left_on == LATER
    assert watch(days=12) is None and watch(days=13)


def test_what_was_taken_back_by_name_is_not_what_is_late(rails):
    book(line("-40.00"))
    book(line("-40.00", day=LATER, name="po_2", opening="60.00"))
    last = Transfer.objects.filter(kind="own").latest("pk")
    post(
        entry(
            CARDS,
            TRANSIT,
            "40.00",
            kind="reversal",
            effective_on=LATER,
            corrects=last,
        )
    )
    assert oldest_in_transit(Account.objects.get(name=TRANSIT)).left_on == TODAY
