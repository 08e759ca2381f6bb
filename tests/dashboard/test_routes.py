"""Routes of alerts: what people see and do there."""

from html import unescape

import pytest
from django.contrib.auth import get_user_model

from alerts.models import Route
from tests.alerts.builders import channel

pytestmark = pytest.mark.django_db


def done(client, path, act, **asked):
    answer = client.post(f"{path}?act={act}", asked, follow=True)
    return unescape(answer.content.decode())


@pytest.fixture
def asked(people):
    ops, boss = channel("json://example.org/a"), channel("json://example.org/b", "boss")
    return {
        "name": "night",
        "severity_min": "warning",
        "channels": [ops.pk],
        "digest": "daily",
        "digest_at": "09:00",
        "quiet_from": "22:00",
        "quiet_until": "06:00",
        "critical_at_once": "on",
        "minutes_1": "30",
        "channel_1": boss.pk,
    }


def test_a_route_is_added_changed_and_disabled(staff, asked):
    html = done(staff, "/alerts/routes", "add", **asked)
    for text in (
        "one message a day at 09:00, critical ones at once",
        "22:00 to 06:00",
        "after 30 min: boss",
    ):
        assert text in html
    made = Route.objects.get()
    path = f"/alerts/routes/{made.pk}"
    assert 'value="09:00"' in staff.get(path, {"act": "change"}).content.decode()
    html = done(staff, path, "change", **asked | {"name": "day", "cost_centre": "research"})
    assert "research" in html
    assert "day is disabled." in done(staff, path, "disable")
    assert "day is enabled." in done(staff, path, "enable")


def test_what_does_not_go_together_is_said(staff, asked):
    html = done(staff, "/alerts/routes", "add", **asked | {"quiet_until": ""})
    assert "Quiet hours need a beginning and an end that differ." in html
    html = done(staff, "/alerts/routes", "add", **asked | {"channel_1": ""})
    assert "Choose both the minutes and whom to tell." in html
    assert not Route.objects.exists()


def test_a_route_to_roles_and_persons_is_added_on_the_page(staff, people):
    fina = get_user_model().objects.create_user("fina", email="fina@example.org")
    page = "/alerts/routes?act=add"
    asked = {
        "name": "to people",
        "severity_min": "info",
        "digest": "none",
        "roles": ["finance"],
        "persons": [fina.pk],
    }
    html = staff.post(page, asked, follow=True).content.decode()
    assert "The route to people was added." in html
    assert "fina, role finance" in html
    found = Route.objects.get()
    assert "fina, role finance" in staff.get(f"/alerts/routes/{found.pk}").content.decode()
    html = staff.post(page, asked | {"name": "none", "roles": [], "persons": []}).content.decode()
    assert "needs at least one channel, role or person" in html


def test_an_escalation_leads_to_a_role_or_a_person_on_the_page(staff, asked, people):
    fina = get_user_model().objects.create_user("fina", email="fina@example.org")
    steps = {"minutes_1": "10", "channel_1": "role:finance", "minutes_2": "30"}
    steps["channel_2"] = f"person:{fina.pk}"
    html = done(staff, "/alerts/routes", "add", **asked | steps)
    assert "after 10 min: role finance, after 30 min: fina" in html
    path = f"/alerts/routes/{Route.objects.get().pk}"
    form = staff.get(path, {"act": "change"}).context["dialog"].form
    assert [form[f"channel_{n}"].value() for n in (1, 2)] == ["role:finance", steps["channel_2"]]
    wrong = done(staff, path, "change", **asked | steps | {"channel_1": "role:kings"})
    assert "Select a valid choice" in wrong
