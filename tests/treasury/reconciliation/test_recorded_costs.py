"""Costs that a provider recorded call by call agree with what Butler computes at the same rates.

Without `BUTLER_FLEET_TRACE` (the path of a trace with cost_usd, packed with gzip), a small made-up
one of the same form is compared.
"""

import csv
import gzip
import io
import logging
import os
from datetime import UTC, datetime
from decimal import Decimal

from keys.supply import pricing
from treasury.reconciliation.differences import Group, OwnCall, OwnSum
from treasury.reconciliation.matching import match
from treasury.reconciliation.reports import read

logger = logging.getLogger(__name__)
SAMPLE = """\
instance_id,step,created_unix,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,cost_usd
a,0,1773100800,1000,0,100,0,0.0032
a,1,1773100900,2000,1000,10,5,0.00232
b,0,1773200000,3000,0,0,0,0.006
b,1,1773200000,3000,0,0,0,
"""
# US dollars per 1,000 tokens. They were found from recorded costs, not in a price list: what agrees
# is the arithmetic of cached and other tokens, and the comparison.
RATES = pricing.Rates(input=Decimal("0.002"), cached=Decimal("0.0002"), output=Decimal("0.012"))


def recorded():
    """The rows that have a cost."""
    path = os.environ.get("BUTLER_FLEET_TRACE")
    if path:
        with gzip.open(path, "rt") as file:
            text = file.read()
    else:
        text = SAMPLE
    return [row for row in csv.DictReader(io.StringIO(text)) if row["cost_usd"]]


def metered(row):
    """The call as Butler prices it."""
    cost = pricing.cost(
        RATES,
        input_tokens=int(row["prompt_tokens"]),
        cached_tokens=int(row["cached_tokens"]),
        output_tokens=int(row["completion_tokens"]),
    )
    day = datetime.fromtimestamp(int(row["created_unix"]), tz=UTC).date()
    number = f"{row['instance_id']}/{row['step']}"
    return OwnCall(number, 0, Group(day, "key-1", "model-1"), cost)


def bill(rows, calls, *, is_itemised):
    """A CSV file of the recorded costs, by call or by day."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["day", "key", "model", "amount", "request_id"])
    for row, call in zip(rows, calls, strict=True):
        number = call.request_id if is_itemised else ""
        writer.writerow([*call.group, row["cost_usd"], number])
    return read(out.getvalue().encode(), format_name="csv")


def test_recorded_costs_agree_in_sums_and_in_calls():
    rows = recorded()
    calls = [metered(row) for row in rows]
    own = [OwnSum(call.group, call.cost) for call in calls]
    by_day = bill(rows, calls, is_itemised=False)
    assert match(own, by_day) == []
    assert match(own, bill(rows, calls, is_itemised=True), calls=calls) == []
    totals = sum(call.cost for call in calls), sum(line.amount for line in by_day)
    assert abs(totals[0] - totals[1]) < Decimal("0.000001") * len(calls)
    logger.info("%d calls: %s metered, %s recorded", len(calls), *totals)
