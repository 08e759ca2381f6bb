"""Channels in a browser: one is added and tested, and what was sent is sent again."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from alerts import services as alerts
from alerts.models import Notification
from tests.alerts.builders import ADA, raised
from tests.browser.walk import Watch, overflow, violations

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_webhook_is_added_tested_and_its_delivery_is_sent_again(signed_in, people):
    page = signed_in().new_page()
    page.goto("/alerts")
    page.get_by_role("link", name="Channels").click()
    page.get_by_role("link", name="Add channel").click()
    dialog = page.get_by_role("dialog", name="Add channel")
    dialog.get_by_label("Name").fill("ops")
    dialog.get_by_label("URL").fill("https://hooks.example.org/canary-7f3a9c51e0")
    dialog.get_by_role("button", name="Add channel").click()
    expect(page.get_by_text(re.compile("whsec_"))).to_be_visible()
    page.get_by_role("link", name="I have copied the secret").click()
    page.get_by_role("link", name="Send a test").click()
    page.get_by_role("dialog").get_by_role("button", name="Send a test").click()
    expect(page.locator("#delivery")).to_contain_text("queued")
    Notification.objects.update(status="given_up", attempts=1, answer="HTTP 401", last_error="no")
    # The page asks for it by itself.
    expect(page.locator("#delivery")).to_contain_text("HTTP 401")
    page.reload()
    page.get_by_role("link", name="Send again").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("repaired")
    page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    expect(page.locator("#delivery")).to_contain_text("Sent again of")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_for_all_people(signed_in, live_server, people, theme):
    now = timezone.now()
    ops = alerts.add_channel(name="ops", url="https://hooks.example.org/x", actor=ADA, now=now)
    alerts.rotate_signing_secret(ops.pk, actor=ADA, now=now)
    raised(now=now)
    Notification.objects.update(status="given_up", last_error="It did not answer. " * 10)
    told = Notification.objects.get()
    page = signed_in(theme).new_page()
    watch = Watch(page, live_server.url)
    faults = []
    for path in (
        "/alerts/channels",
        "/alerts/deliveries?status=given_up",
        f"/alerts/channels/{ops.pk}",
        f"/alerts/channels/{ops.pk}?act=change",
        f"/alerts/deliveries/{told.pk}",
        f"/alerts/deliveries/{told.pk}?act=again",
    ):
        page.goto(path)
        for width in (360, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            faults += violations(page) + overflow(page)
    assert "\n".join(faults + watch.faults) == ""
