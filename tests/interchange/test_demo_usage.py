"""The made-up usage of the demo fleet."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db.models import F, Sum
from django.utils import timezone

from alerts.models import Alert
from interchange import demo_fleet, demo_usage
from keys.models import (
    Adjustment,
    Charge,
    Organisation,
    SettledUsage,
    UsageRollup,
    UsageSlice,
    Window,
)
from security.audit_chain.models import UnsealedRow
from security.audit_chain.seal import seal_rows
from security.audit_chain.verify import verify
from tests.books import assert_books_balance

pytestmark = pytest.mark.django_db


# A weekend’s first hour, a working day’s noon, a month’s last evening; all before the present
# of the database, which the job that makes days goes by.
@pytest.fixture(
    params=[
        datetime(2026, 10, 31, 0, 30, tzinfo=UTC),
        datetime(2026, 11, 11, 12, 0, tzinfo=UTC),
        datetime(2026, 9, 30, 21, 0, tzinfo=UTC),
    ],
    ids=str,
)
def now(request, transactional_db, time_machine):
    """The moment up to which the usage is loaded."""
    now = request.param
    time_machine.move_to(now)
    demo_fleet.load(now=now)
    demo_usage.load(now=now)
    return now


def test_it_is_two_months_of_money_within_all_limits_and_sealed(now):
    days = SettledUsage.objects.filter(status="settled").dates("settled_at", "day")
    assert len(days) >= demo_usage.DAYS
    assert Charge.objects.filter(settled_at__gt=now).count() == 0
    assert not Window.objects.filter(used__gt=F("amount")).exists()
    used = SettledUsage.objects.filter(status="settled").aggregate(sum=Sum("cost"))["sum"]
    assert used == UsageSlice.objects.aggregate(sum=Sum("cost"))["sum"] > 300
    assert UsageRollup.objects.get().through >= (now - timedelta(days=2)).date()
    charges = Charge.objects.filter(status=Charge.Status.SETTLED)
    assert charges.values("api_key__provider").distinct().count() == 6
    assert charges.values("allocation__cost_centre").distinct().count() == 5
    assert charges.values("allocation__label").distinct().count() == 10
    assert_books_balance()
    while seal_rows(now=now + timedelta(minutes=1)):
        pass
    assert not UnsealedRow.objects.exists()
    assert verify(now=timezone.now()).findings == []


def test_it_is_loaded_once_says_that_it_is_a_demo_and_its_peak_has_a_cause(now):
    before = Charge.objects.count(), Adjustment.objects.count(), Alert.objects.count()
    assert before[1:] == (3, 2)
    out = io.StringIO()
    call_command("load_demo_usage", stdout=out)
    assert out.getvalue() == "Imported 0 charges.\n"
    after = Charge.objects.count(), Adjustment.objects.count(), Alert.objects.count()
    assert after == before
    assert Organisation.objects.get().name == "Demo organisation"

    by_day = UsageSlice.objects.values("starts_at__date").annotate(sum=Sum("cost"))
    peak = by_day.order_by("-sum").first()["starts_at__date"]
    spent = UsageSlice.objects.filter(starts_at__date=peak).values("label")
    dearest = spent.annotate(sum=Sum("cost")).order_by("-sum").first()
    assert dearest["label"] == "task:dependency-upgrade"
    exhausted = Alert.objects.get(kind="key_exhausted")
    assert (exhausted.raised_at.date(), exhausted.agent_id) == (peak, "builder")
    assert not Alert.objects.unresolved().exists()
