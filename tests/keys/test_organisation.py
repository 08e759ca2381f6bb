"""The settings of the organisation: one row, checked by the database, every change in the audit."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from keys import services as keys
from keys.identity.queries.organisation import organisation
from keys.models import Organisation
from keys.refusals import WrongValue
from security.models import AuditEntry
from tests.actors import GRACE
from tests.moments import NOON

pytestmark = pytest.mark.django_db
EUROS = {
    "shown_currency": "EUR",
    "shown_rate": Decimal("0.92"),
    "shown_rate_on": date(2026, 3, 9),
}


def change(**changes):
    return keys.change_organisation(actor=GRACE, reason="new office", now=NOON, **changes)


def entries():
    return AuditEntry.objects.about("organisation:1")


def test_before_the_first_change_the_defaults_count(django_assert_num_queries):
    with django_assert_num_queries(1):
        found = organisation()
    assert (found.name, found.reporting_zone, found.shown_rate) == ("Our organisation", "UTC", 1)


def test_a_change_is_kept_with_who_and_why():
    change(name="Acme", reporting_zone="Asia/Kathmandu", fiscal_year_starts=4)
    assert organisation().reporting_zone == "Asia/Kathmandu"
    [entry] = entries()
    assert (entry.actor_name, entry.reason, entry.at) == ("grace", "new office", NOON)
    assert entry.before == {
        "name": "Our organisation",
        "reporting_zone": "UTC",
        "fiscal_year_starts": 1,
    }
    assert entry.after["reporting_zone"] == "Asia/Kathmandu"


def test_what_is_so_already_is_no_change():
    change(name="Acme")
    change(name="Acme", reporting_zone="UTC")
    assert entries().count() == 1
    assert Organisation.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("reporting_zone", "Mars/Olympus"),
        ("reporting_zone", "../etc/passwd"),
        ("fiscal_year_starts", 13),
        ("week_starts", 7),
        ("shown_currency", "eur"),
        ("shown_rate", Decimal(-1)),
        ("landing_warning_percent", 0),
        ("estimated_share_warning_percent", 101),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(field, value):
    with pytest.raises(WrongValue) as refused:
        change(**{field: value})
    assert refused.value.field == field
    assert not entries().exists()


def test_another_currency_needs_a_rate_with_its_date():
    change(**EUROS)
    for wrong in ({"shown_rate_on": None}, {"shown_currency": "USD"}, {"shown_rate": Decimal(0)}):
        with pytest.raises(WrongValue):
            change(**wrong)
    assert organisation().shown_rate == Decimal("0.92")


@pytest.mark.parametrize(
    "row",
    [
        {"id": 2},
        {"name": ""},
        {"reporting_zone": "Mars/Olympus"},
        {"fiscal_year_starts": 0},
        {"week_starts": 7},
        {"shown_currency": "EUR"},
        {"shown_rate": 0},
        {"landing_warning_percent": 0},
    ],
)
def test_the_database_keeps_the_rules(row):
    with pytest.raises(DatabaseError), transaction.atomic():
        Organisation.objects.create(**row)
