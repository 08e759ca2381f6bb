"""The comparison of both sides: what is planted in a month is found and named."""

import logging
import os
from collections import Counter

from tests.treasury.reconciliation.month import KINDS, clean_month, plant
from treasury.reconciliation.matching import match

CALLS = int(os.environ.get("BUTLER_RECONCILED_CALLS", "10000"))
EACH = 20
logger = logging.getLogger(__name__)


def found_in(month):
    return match(month.own, month.lines, calls=month.own_calls)


def test_a_clean_month_has_no_differences():
    assert found_in(clean_month(CALLS)) == []


def test_planted_differences_are_found_and_named():
    month = plant(clean_month(CALLS), EACH)
    assert Counter(month.planted.values()) == dict.fromkeys(KINDS, EACH)
    found = found_in(month)
    named, noticed, surplus = Counter(), Counter(), []
    by_group = {}
    for each in found:
        by_group.setdefault(each.group[:2], []).append(each)
    for group, kind in month.planted.items():
        kinds = {each.kind for each in by_group.pop(group[:2], [])}
        noticed[kind] += bool(kinds)
        named[kind] += kinds == {kind}
    surplus = [each for rest in by_group.values() for each in rest]
    logger.info(
        "%d calls: %d found, %d named, %d others",
        *(CALLS, sum(noticed.values()), sum(named.values()), len(surplus)),
    )
    assert noticed == dict.fromkeys(KINDS, EACH)
    assert sum(named.values()) >= 0.95 * EACH * len(KINDS)
    assert surplus == []
    assert all(each.evidence for each in found)


def test_a_day_that_butler_does_not_have_is_one_difference():
    month = clean_month(200)
    lines = [line for line in month.lines if line.request_id]
    day, key = lines[0].day, lines[0].key
    lines = [line for line in lines if (line.day, line.key) == (day, key)]
    (found,) = match([], lines)
    assert (found.kind, found.group[:2], found.own) == ("missing_day", (day, key), 0)
