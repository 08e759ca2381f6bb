"""Many lock and sign a month at the same moment."""

import pytest

from reports.models import CloseLine, MonthClose
from tests.books import assert_books_balance
from tests.gate.approvals import person
from tests.keys.builders import PAID, add_key, allocate, hold, make_people, settle
from tests.reports.closing import lock, sign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def usage():
    """A call of 100 tokens in March."""
    make_people()
    add_key("openai-1", rates=PAID, provider="openai")
    settle(hold(allocate("ada"), 200), 100)
    for name in ("vera", "paul", "rita"):
        person(name)


def test_a_month_is_locked_once(at_once):
    closes = at_once(lambda _: lock(), times=10)
    assert sum(isinstance(each, MonthClose) for each in closes) == 1
    assert MonthClose.objects.get().tokens == CloseLine.objects.get().tokens == 100
    assert_books_balance()


def test_of_many_signatures_two_of_different_persons_count(at_once):
    close = lock()
    names = ("vera", "paul", "rita") * 5
    at_once(lambda number: sign(close, names[number]), times=15)
    close.refresh_from_db()
    assert close.status == MonthClose.Status.SIGNED
    assert not {*close.first_signed_persons} & {*close.second_signed_persons}
