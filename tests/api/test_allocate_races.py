"""Many at once over HTTP."""

import pytest

from keys.models import Allocation, Charge
from tests.api.caller import Caller, token_of
from tests.books import assert_books_balance
from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_idempotency_key_twenty_times_at_once_is_one_allocation(people, at_once):
    add_key("nvidia-1")
    token = token_of("ada")

    def lend(_):
        return Caller(token).post("/allocations", tokens=5, idempotency_key="once")

    answers = at_once(lend, times=20)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert Allocation.objects.count() == 1
    assert_books_balance()


def test_the_same_report_twenty_times_at_once_is_one_charge(people, at_once):
    add_key("nvidia-1")
    token = token_of("ada")
    session = Caller(token).post("/allocations", tokens=500).json()["session_id"]

    def report(_):
        path = f"/allocations/{session}/usage"
        return Caller(token).post(path, total_tokens=5, idempotency_key="once")

    answers = at_once(report, times=20)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert Charge.objects.count() == 1
    assert_books_balance()


def test_the_throttle_counts_what_comes_at_once(people, at_once, settings):
    settings.API_REQUESTS_PER_MINUTE = 5
    token = token_of("ada")
    answers = at_once(lambda _: Caller(token).get("/me"), times=20)
    # Up to ten, if a new minute began in the middle.
    assert 5 <= sum(answer.status_code == 200 for answer in answers) <= 10
    assert {answer.status_code for answer in answers} == {200, 429}
