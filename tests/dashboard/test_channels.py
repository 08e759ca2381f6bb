"""Channels and their delivery log: what people see and do there."""

from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from standardwebhooks import Webhook

from alerts import services
from alerts.models import Channel, Notification
from common import links
from gate.models import CentreBinding
from tests.alerts.builders import ADA, channel, raised

pytestmark = pytest.mark.django_db
URL = "json://hooks.example.org/canary-7f3a9c51e0"
HOOK = "https://hooks.example.org/canary-7f3a9c51e0"
NEW = {"name": "ops", "severity_min": "warning", "kinds": ["key_broken"], "url": URL}


def html_of(client, path, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def done(client, path, act, **asked):
    answer = client.post(f"{path}?act={act}", asked, follow=True)
    return unescape(answer.content.decode())


def page_of(row):
    return links.url("channel" if isinstance(row, Channel) else "notification", row.pk)


@pytest.fixture
def ops(people, now):
    return channel(URL)


@pytest.fixture
def told(ops, now):
    """A notification that was given up."""
    raised(now=now)
    services.retry_due(now=now)
    Notification.objects.update(status="given_up", last_error="no answer", attempts=12)
    return Notification.objects.get()


def test_a_channel_is_added_and_its_url_is_never_shown(staff, people):
    html = done(staff, "/alerts/channels", "add", **NEW)
    added = Channel.objects.get()
    assert (added.name, added.severity_min, added.kinds) == ("ops", "warning", ["key_broken"])
    for each in (html, html_of(staff, "/alerts/channels"), html_of(staff, page_of(added))):
        assert "warning and above: key broken" in each
        assert "canary" not in each


def test_the_secret_of_a_webhook_is_shown_once(staff, people):
    html = done(staff, "/alerts/channels", "add", **NEW | {"url": HOOK})
    secret = html.partition('<code tabindex="0">')[2].partition("</code>")[0]
    assert Webhook(secret)
    added = Channel.objects.get()
    assert secret not in html_of(staff, page_of(added))
    assert "canary" not in html
    second = done(staff, page_of(added), "secret")
    assert "whsec_" in second
    assert secret not in second
    assert html_of(staff, page_of(added)).count("Signing secret</dt>") == 2


def test_what_cannot_be_used_is_said_beside_its_field_and_not_repeated(staff, ops):
    html = done(staff, "/alerts/channels", "add", **NEW | {"url": f"nosuch{URL}"})
    assert "This URL cannot be used." in html
    html += done(staff, "/alerts/channels", "add", **NEW)
    assert "A channel named ops already exists." in html
    assert "canary" not in html
    assert Channel.objects.count() == 1


def test_a_channel_is_changed_disabled_and_enabled(staff, ops):
    path = page_of(ops)
    done(staff, path, "change", name="night", severity_min="critical", kinds=[])
    done(staff, path, "url", url=HOOK)
    ops.refresh_from_db()
    assert (ops.name, ops.severity_min, ops.kinds, ops.service) == (
        "night",
        "critical",
        [],
        "https",
    )
    assert "night is disabled." in done(staff, path, "disable")
    assert "act=test" not in html_of(staff, path)
    assert "night is enabled." in done(staff, path, "enable")
    assert "channel.replace_url" in html_of(staff, path)


def test_a_test_leads_to_its_delivery_which_shows_the_answer(staff, ops):
    html = done(staff, page_of(ops), "test")
    row = Notification.objects.get()
    assert row.is_test
    assert f"Delivery {row.pk}" in html
    assert 'hx-trigger="every 2s"' in html
    Notification.objects.update(status="given_up", answer="HTTP 401", last_error="said no")
    html = html_of(staff, page_of(row))
    assert "HTTP 401" in html
    assert "every 2s" not in html


def test_the_list_says_how_the_last_delivery_ended(staff, ops, told):
    html = html_of(staff, "/alerts/channels")
    assert links.url("notification", told.pk) in html
    assert "given up" in html


def test_the_log_is_filtered_counted_and_a_file(staff, ops, told):
    services.test_channel(
        channel("json://other.example.org/x", "other").pk, actor=ADA, now=told.queued_at
    )
    html = html_of(staff, "/alerts/deliveries")
    for text in ("All 2", "Waiting 1", "Given up 1", "no answer"):
        assert text in html
    assert "no answer" not in html_of(staff, "/alerts/deliveries", status="waiting")
    html = html_of(staff, "/alerts/deliveries", channel=str(ops.pk))
    assert "All 1" in html
    assert "Remove the filter of channel" in html
    file = b"".join(staff.get("/alerts/deliveries", {"format": "csv"})).decode()
    assert str(told.delivery_id) in file
    assert "\r\nRows,2\r\n" in file


def test_what_cannot_be_read_in_the_address_is_left_out(staff, told):
    html = html_of(staff, "/alerts/deliveries", status="x", channel="y", alert="z", after="²")
    assert "All 1" in html
    assert staff.get("/alerts/channels/nonsense").status_code == 404
    assert staff.get(f"/alerts/channels/{'0' * 32}").status_code == 404


def test_a_delivery_is_sent_again_with_a_reason(staff, told):
    assert "This field is required." in done(staff, page_of(told), "again", reason="")
    html = done(staff, page_of(told), "again", reason="repaired")
    second = Notification.objects.get(again_of=told)
    assert f"Delivery {second.pk}" in html
    assert "act=again" not in html
    assert f"Delivery {second.pk}</a>" in html_of(staff, page_of(told))
    assert staff.post(f"{page_of(second)}?act=again", {"reason": "x"}).status_code == 403


def test_many_deliveries_take_as_many_queries_as_few(
    staff, ops, told, django_assert_max_num_queries
):
    for number in range(60):
        raised(dedup_key=str(number), now=told.queued_at)
    for path in ("/alerts/deliveries", "/alerts/channels", page_of(ops), page_of(told)):
        html_of(staff, path)
        with django_assert_max_num_queries(14):
            html = html_of(staff, path)
        if path == "/alerts/deliveries":
            assert "50 of 61" in html
            assert "after=" in html


@pytest.fixture
def reader(client, ops):
    """Somebody who may look, and do nothing."""
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    codenames = ("view_channel", "view_notification")
    carol.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(carol)
    return client, carol


def test_who_may_only_look_does_nothing(reader, ops, told):
    client, _ = reader
    for path, act in (
        ("/alerts/channels", "add"),
        (page_of(ops), "test"),
        (page_of(told), "again"),
    ):
        assert "?act=" not in html_of(client, path)
        assert client.post(f"{path}?act={act}", NEW | {"reason": "x"}).status_code == 403
    assert (Channel.objects.count(), Notification.objects.count()) == (1, 1)


def test_people_of_a_part_of_the_tree_see_no_channel_and_no_delivery(reader, ops, told):
    client, carol = reader
    CentreBinding.objects.create(person=carol, cost_centre_id="research")
    for path in ("/alerts/channels", "/alerts/deliveries", page_of(ops), page_of(told)):
        assert client.get(path).status_code == 403
