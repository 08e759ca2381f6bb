"""A patient call is not cut while other calls of its allocation are held: it can wait for them."""

from decimal import Decimal

import pytest

from common.refusal import Refusal
from keys import services as keys
from keys.models import Allocation
from keys.refusals import AllocationExhausted, BudgetInFlight
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)
_NAMES = iter(range(10**9))


@pytest.fixture
def lent(people):
    add_key("key-1")
    return allocate(tokens=1_000)


def patient(allocation, least, most, **changes):
    """A patient request for a hold, with an idempotency key of its own."""
    name = f"hold-{next(_NAMES)}"
    return keys.HoldRequest(allocation.pk, least, most, name, patient=True, **changes)


def held(*asked):
    """What was answered, as tokens or the refusal's class."""
    answers = keys.hold_many(asked, now=NOON)
    return [type(a) if isinstance(a, Refusal) else a.tokens for a in answers]


def test_it_is_cut_to_what_is_left_when_nothing_else_is_held(lent):
    assert held(patient(lent, 100, 5_000)) == [1_000]
    assert_books_balance()


def test_it_is_not_cut_while_something_is_held(lent):
    assert held(patient(lent, 100, 600)) == [600]
    assert held(patient(lent, 100, 600)) == [BudgetInFlight]
    assert held(patient(lent, 100, 400)) == [400]
    assert_books_balance()


def test_it_is_exhausted_if_it_could_not_fit_alone_either(lent):
    assert held(patient(lent, 100, 600)) == [600]
    assert held(patient(lent, 1_001, 2_000)) == [AllocationExhausted]
    assert held(patient(lent, 1_000, 2_000)) == [BudgetInFlight]


def test_what_is_used_is_not_waited_for(lent):
    [first] = keys.hold_many([patient(lent, 600, 600)], now=NOON)
    keys.end_many([keys.Settlement(first, "settled", keys.Usage(output_tokens=600))], now=NOON)
    assert held(patient(lent, 300, 300)) == [300]
    assert held(patient(lent, 401, 500)) == [AllocationExhausted]
    assert held(patient(lent, 400, 500)) == [BudgetInFlight]
    assert_books_balance()


def test_a_released_hold_makes_room(lent):
    [first] = keys.hold_many([patient(lent, 600, 600)], now=NOON)
    assert held(patient(lent, 100, 600)) == [BudgetInFlight]
    keys.end_many([keys.Settlement(first, "released")], now=NOON)
    assert held(patient(lent, 100, 600)) == [600]


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ([(1, 400), (1, 400), (1, 400)], [400, 400, BudgetInFlight]),
        ([(1, 2_000), (1, 10)], [1_000, BudgetInFlight]),
        ([(1, 400), (1, 2_000), (1, 600)], [400, BudgetInFlight, 600]),
        ([(1, 400), (1_001, 2_000), (1, 600)], [400, AllocationExhausted, 600]),
        ([(0, 0), (1, 2_000)], [0, 1_000]),
        ([(1, 1_000), (0, 0)], [1_000, 0]),
        ([(1, 300)] * 5, [300, 300, 300, BudgetInFlight, BudgetInFlight]),
    ],
)
def test_the_calls_of_one_batch_see_each_other(lent, asked, answers):
    assert held(*(patient(lent, least, most) for least, most in asked)) == answers
    assert_books_balance()


def test_the_refusal_has_the_numbers_of_the_allocation(lent):
    assert held(patient(lent, 100, 600)) == [600]
    [refusal] = keys.hold_many([patient(lent, 100, 700)], now=NOON)
    assert (refusal.left, refusal.held, refusal.used, refusal.needed) == (400, 600, 0, 100)


def test_without_patience_a_call_is_cut_as_before(lent):
    ask = [patient(lent, 100, 600)._replace(patient=False) for _ in range(3)]
    assert held(*ask) == [600, 400, AllocationExhausted]
    assert Allocation.objects.get().held == 1_000


def test_a_call_of_a_dearer_model_that_could_never_be_paid_is_not_told_to_wait(people):
    add_key("key-1", rates=PAID)
    lent = allocate(tokens=1_000)
    dear = {"token_cost": Decimal(10) * lent.token_cost_max}
    assert held(patient(lent, 10, 50)) == [50]
    assert held(patient(lent, 101, 900, **dear)) == [AllocationExhausted]
    assert held(patient(lent, 100, 900, **dear)) == [BudgetInFlight]
