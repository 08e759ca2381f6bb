"""The file of a month in the columns of FOCUS."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from zoneinfo import ZoneInfo

import pytest

from keys.books.queries.spend import SpendFilter, spend_total
from keys.models import Charge, Organisation
from reports.focus import FocusMonth
from tests.dashboard.test_reports import signed_in
from tests.gate.approvals import person
from tests.keys.builders import PAID, add_key, adjust, allocate, hold, report, settle
from tests.moments import NOON
from tests.reports.closing import APRIL, IN_MAY, lock, sign
from tests.reports.focus_rules import broken

pytestmark = pytest.mark.django_db

# Of the specification, version 1.2: columns that every file has.
MANDATORY = {
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
}
# Of these, the ones that may be null.
NULLABLE = {"BillingAccountName", "ChargeClass", "ChargeDescription"}


@pytest.fixture
def usage(people):
    """Two calls at noon of 10 March and one, adjusted, in the last hour of the month in UTC."""
    add_key("openai-1", rates=PAID, provider="openai")
    ada, carol = allocate("ada", label="=task:report"), allocate("carol")
    settle(hold(ada, 200), 100)
    report(carol, 7)
    last = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    late = allocate("ada", now=last)
    adjust(report(late, 50, now=last), 40, now=last + timedelta(days=3))


def read(client, **query):
    answer = client.get("/reports/focus", query)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def finance():
    return signed_in("vera")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_rows_have_what_the_specification_demands(usage, finance, version):
    rows = read(finance, month="2026-03", version=version)
    assert len(rows) == 3
    for row in rows:
        assert row.keys() >= MANDATORY
        assert all(row[name] for name in MANDATORY - NULLABLE)
        assert row["ChargeCategory"] == "Usage" and row["BillingCurrency"] == "USD"
        for name in ("BillingPeriodStart", "ChargePeriodEnd"):
            assert row[name].endswith("Z") and datetime.fromisoformat(row[name])
        assert all("e" not in row[name].lower() for name in ("BilledCost", "PricingQuantity"))
        assert ("HostProviderName" in row) == (version == "1.3")
    assert all(name[0].isupper() or name.startswith("x_") for name in rows[0])


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_no_row_breaks_an_official_rule_in_an_open_or_a_closed_month(usage, finance, version):
    assert broken(read(finance, month="2026-03", version=version)) == {}
    lock()
    adjust(Charge.objects.earliest("pk"), 60, now=IN_MAY - timedelta(days=4))
    lock(APRIL, now=IN_MAY)
    rows = read(finance, month="2026-04", version=version)
    assert "Correction" in {row["ChargeClass"] for row in rows}
    assert broken(rows) == {}


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("BillingAccountId", "1", "BillingAccountId-C-002-M"),
        ("PricingQuantity", "40", "PricingQuantity-C-001-M"),
        ("ChargePeriodStart", "2026-03-10", "ChargePeriodStart-C-001-M"),
        ("BillingCurrency", "dollars", "BillingCurrency-C-003-M"),
        ("ServiceCategory", "Robots", "ServiceCategory-C-003-M"),
        ("ListCost", "", "ListCost-C-003-M"),
        ("ProviderName", None, "CostAndUsage-D-038-M"),
    ],
)
def test_the_rules_find_what_is_wrong(usage, finance, column, value, rule):
    rows = read(finance, month="2026-03")
    for row in rows:
        del row[column]
        if value is not None:
            row[column] = value
    assert rule in broken(rows), broken(rows)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Chatham"])
def test_the_costs_are_those_of_the_month_in_the_reporting_zone(usage, zone):
    clock = ZoneInfo(zone)
    organisation = Organisation(reporting_zone=zone)
    for first, end in ((date(2026, 3, 1), date(2026, 4, 1)), (date(2026, 4, 1), date(2026, 5, 1))):
        month = FocusMonth(organisation, first)
        rows = [dict(zip(month.columns, row, strict=True)) for row in month.rows()]
        since, until = (datetime(each.year, each.month, 1, tzinfo=clock) for each in (first, end))
        spent = spend_total(SpendFilter(since, until))
        assert sum(row["BilledCost"] for row in rows) == spent.cost
        assert sum(row["x_Calls"] for row in rows) == spent.calls
    # The adjusted call is in April, where it was April already.
    assert len(rows) == (zone != "UTC")


def test_an_adjusted_call_counts_with_its_adjustment_and_labels_are_no_formulas(usage, finance):
    (task, late) = [row for row in read(finance, month="2026-03") if row["x_AgentId"] == "ada"]
    assert Decimal(late["BilledCost"]) == 40 * PAID.input / 1000
    assert (late["ConsumedQuantity"], late["Tags"]) == ("40.0", '{"agent": "ada"}')
    assert task["x_Label"] == "'=task:report"
    assert task["Tags"] == '{"agent": "ada", "label": "=task:report"}'


def test_a_person_gets_the_rows_of_their_cost_centres(usage):
    rows = read(signed_in("tom", "finance", "sales"), month="2026-03")
    assert [row["SubAccountId"] for row in rows] == ["sales"]


def test_a_month_without_usage_is_a_head(usage, finance):
    answer = finance.get("/reports/focus", {"month": f"{NOON.year - 1}-03"})
    (head,) = b"".join(answer.streaming_content).splitlines()
    assert head.startswith(b"BilledCost,")


@pytest.mark.parametrize(
    "query", [{}, {"month": "2026-13"}, {"month": "\0"}, {"month": "2026-03", "version": "0.9"}]
)
def test_what_names_no_month_is_refused_with_a_sentence(finance, query):
    answer = finance.get("/reports/focus", query)
    assert answer.status_code == 400
    if "\0" not in query.values():
        assert "month=2026-11" in answer.content.decode()


def test_a_closed_month_costs_what_it_was_closed_with_and_names_corrections(usage, finance):
    person("paul")
    march = sign(lock(now=datetime(2026, 4, 4, tzinfo=UTC)), "vera", "paul")
    before = read(finance, month="2026-03")
    charge = Charge.objects.get(tokens=7)
    adjust(charge, 9, now=datetime(2026, 4, 5, tzinfo=UTC))
    Organisation.objects.create(reporting_zone="Asia/Kathmandu")
    assert read(finance, month="2026-03") == before
    assert sum(Decimal(row["BilledCost"]) for row in before) == march.cost
    april = lock(APRIL, now=IN_MAY)
    (correction,) = read(finance, month="2026-04")
    assert correction["ChargeClass"] == "Correction"
    assert Decimal(correction["BilledCost"]) == april.cost == 2 * PAID.input / 1000
    assert correction["ChargePeriodStart"] == "2026-03-10T00:00:00Z"
    assert correction["BillingPeriodStart"] == "2026-04-01T00:00:00Z"
    assert not read(signed_in("tim", "finance", "research"), month="2026-04")


def test_a_closed_month_has_the_rows_that_it_had_while_it_was_open(usage, finance):
    before = read(finance, month="2026-03")
    lock(now=datetime(2026, 4, 4, tzinfo=UTC))
    after = read(finance, month="2026-03")
    by_cost = itemgetter("ChargePeriodStart", "x_AgentId", "x_Label")
    assert sorted(after, key=by_cost) == sorted(before, key=by_cost)
