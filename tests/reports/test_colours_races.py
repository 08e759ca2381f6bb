"""Pages that show the same for the first time at the same moment."""

import pytest

from reports import queries
from reports import services as reports
from reports.models import ColourSlot

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 8
NAMES = ["ada", "bob", "carol", "dave"]


def test_pages_that_give_colours_at_once_agree_and_never_wait_for_each_other(at_once):
    def assign(number):
        names = NAMES if number % 2 else NAMES[::-1]
        reports.assign_colours("agent", names)
        return queries.colour_slots("agent", names)

    results = at_once(assign, times=TIMES)
    assert all(result == results[0] for result in results), results
    assert ColourSlot.objects.count() == len(results[0]) == len(NAMES)
