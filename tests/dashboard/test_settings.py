"""The settings of the organisation: administrators change them, others read them."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from keys import services as keys
from keys.identity.queries.organisation import organisation
from keys.models import Charge
from security.models import AuditEntry
from tests.actors import GRACE
from tests.keys.builders import PAID, add_key, allocate, hold
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def signed_in(client, role):
    user = get_user_model().objects.create_user(role, is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client.force_login(user)
    return client


def filled(**changes):
    """What the form sends."""
    return {
        "name": "Acme",
        "reporting_zone": "Europe/Berlin",
        "fiscal_year_starts": "4",
        "week_starts": "6",
        "shown_currency": "USD",
        "shown_rate": "1",
        "shown_rate_on": "",
        "landing_warning_percent": "100",
        "estimated_share_warning_percent": "5",
        "reason": "we moved",
    } | changes


def test_an_administrator_changes_the_settings(client):
    answer = signed_in(client, "administrator").post("/settings", filled(), follow=True)
    page = answer.content.decode()
    assert organisation().reporting_zone == "Europe/Berlin"
    assert "The settings are saved." in page
    assert "we moved" in page and "administrator" in page
    assert "Times in Europe/Berlin" in page
    [entry] = AuditEntry.objects.about("organisation:1")
    assert entry.before == {
        "name": "Our organisation",
        "reporting_zone": "UTC",
        "fiscal_year_starts": 1,
        "week_starts": 0,
    }


def test_a_wrong_value_is_said_beside_its_field(client):
    page = signed_in(client, "administrator").post(
        "/settings", filled(reporting_zone="Mars/Olympus", shown_rate="x", reason="")
    )
    errors = page.context["form"].errors
    assert set(errors) == {"reporting_zone", "shown_rate", "reason"}
    assert page.content.decode().count('class="errorlist"') == 3
    answer = client.post("/settings", filled(shown_currency="EUR"))
    assert "needs a rate and the date of the rate" in answer.content.decode()
    assert organisation().name == "Our organisation"


def test_others_read_the_settings_and_change_nothing(client):
    keys.change_organisation(name="Acme", actor=GRACE, reason="founded", now=NOON)
    page = signed_in(client, "viewer").get("/settings").content.decode()
    assert "Acme" in page and "An administrator can change" in page
    assert '<form method="post" class' not in page and "founded" not in page
    assert client.post("/settings", filled()).status_code == 403
    assert "founded" in signed_in(client, "finance").get("/settings").content.decode()


def test_times_of_pages_are_in_the_reporting_zone(client):
    at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    keys.change_organisation(reporting_zone="Europe/Berlin", actor=GRACE, reason="we moved", now=at)
    assert "2026-03-29 03:30" in signed_in(client, "finance").get("/settings").content.decode()


def test_a_form_that_was_open_for_long_changes_only_what_its_reader_changed(client):
    form = signed_in(client, "administrator").get("/settings").context["form"]
    opened = {f"initial-{field.name}": field.value() for field in form if field.value() is not None}
    keys.change_organisation(
        reporting_zone="Asia/Kathmandu", actor=GRACE, reason="we moved", now=NOON
    )
    client.post("/settings", opened | filled(reporting_zone="UTC", name="Acme"))
    assert organisation().name == "Acme"
    assert organisation().reporting_zone == "Asia/Kathmandu"


def test_a_cost_that_rests_on_estimates_above_the_threshold_is_a_warning(client, people):
    add_key("openai-1", rates=PAID, per_day=None)
    now = timezone.now()
    charge = hold(allocate("ada", 10_000, now=now), 1_000, now=now)
    usage = keys.Usage(total=1_000)
    keys.settle(charge=charge, usage=usage, basis=Charge.Basis.ESTIMATED, now=now)
    signed_in(client, "finance")
    warning = "more than the 5% that you allow"
    assert warning in client.get("/spend").content.decode()
    keys.change_organisation(
        estimated_share_warning_percent=100, actor=GRACE, reason="all are estimates", now=now
    )
    assert warning not in client.get("/spend").content.decode()
