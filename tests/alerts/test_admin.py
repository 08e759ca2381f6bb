"""The admin: alerts are closed, channels written, URLs never shown, lists stay quick."""

from dataclasses import replace
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from alerts import services
from alerts.models import Alert, Channel, Notification
from keys.alert_kinds import KEY_BROKEN
from security import services as security
from tests.alerts.builders import BOB, SECRET, channel, raised
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.queue import drain_queue

pytestmark = pytest.mark.django_db
URL = f"json://hooks.example.org/{SECRET}"
CONFIRMED = {"_form_submitted": "on"}


@pytest.fixture
def staff(client):
    """A client signed in as ada, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("ada", password="x"))
    return client


def page(name, *args):
    """The address of an admin page of the app."""
    return reverse(f"admin:alerts_{name}", args=args)


def test_alerts_are_listed_filtered_and_found(staff):
    raised(dedup_key="1", title="Nvidia is empty", severity="critical")
    raised(dedup_key="2", title="Groq is half empty")
    everything = staff.get(page("alert_changelist")).content.decode()
    assert "Nvidia is empty" in everything
    assert "Groq is half empty" in everything
    for query in ("severity__exact=critical", "q=Nvidia", "q=Nvidia&status__exact=open"):
        some = staff.get(page("alert_changelist") + "?" + query).content.decode()
        assert "Nvidia is empty" in some
        assert "Groq is half empty" not in some


def test_a_list_of_many_alerts_costs_as_many_queries_as_one_of_few(
    staff, django_assert_max_num_queries
):
    for number in range(60):
        raised(dedup_key=str(number))
    with django_assert_max_num_queries(8):
        staff.get(page("alert_changelist"))


def test_selected_alerts_are_acknowledged_and_resolved_by_who_is_signed_in(staff):
    first, second = raised(dedup_key="1"), raised(dedup_key="2")
    services.resolve(second.pk, actor=BOB, now=NOON)
    for action in ("acknowledge_selected", "resolve_selected"):
        answer = staff.post(
            page("alert_changelist"),
            {"action": action, "_selected_action": [first.pk, second.pk]},
            follow=True,
        )
        assert "was already resolved by bob" in answer.content.decode()
    first.refresh_from_db()
    assert (first.acknowledged_by, first.resolved_by, first.status) == ("ada", "ada", "resolved")


def test_one_alert_is_resolved_with_a_note_in_a_dialog(staff):
    alert = raised()
    address = page("alert_resolve_one", alert.pk)
    assert staff.get(address).status_code == 200
    assert Alert.objects.get().status == "open"
    staff.post(address, CONFIRMED | {"note": "new key bought"})
    assert Alert.objects.get().resolved_note == "new key bought"
    assert staff.get(page("alert_change", alert.pk)).status_code == 200


def test_alerts_and_deliveries_are_not_edited(staff):
    channel(URL)
    alert = raised()
    delivery = Notification.objects.get()
    for name, pk in (("alert", alert.pk), ("notification", delivery.pk)):
        assert staff.get(page(f"{name}_add")).status_code == 403
        assert staff.post(page(f"{name}_change", pk), {"title": "x"}).status_code == 403
        assert staff.post(page(f"{name}_delete", pk), {"post": "yes"}).status_code == 403
        assert staff.get(page(f"{name}_change", pk)).status_code == 200


def test_who_may_only_look_closes_nothing(client):
    client.force_login(get_user_model().objects.create_user("carol", is_staff=True))
    alert = raised()
    answer = client.post(page("alert_resolve_one", alert.pk), CONFIRMED)
    assert answer.status_code == 403
    assert Alert.objects.get().status == "open"


def test_a_channel_is_added_and_its_url_is_never_shown(staff):
    wanted = {
        "name": "ops",
        "severity_min": "warning",
        "kinds": ["exhausted", "overrun"],
        "url": URL,
    }
    answer = staff.post(page("channel_add"), wanted, follow=True)
    added = Channel.objects.get()
    assert security.unseal_from(added, "sealed_url") == URL
    assert (added.severity_min, added.kinds) == ("warning", ["exhausted", "overrun"])
    pages = [
        answer,
        staff.get(page("channel_change", added.pk)),
        staff.get(page("channel_changelist")),
    ]
    for response in pages:
        assert response.status_code == 200
        assert SECRET not in response.content.decode()


def test_a_channel_takes_only_kinds_that_there_are(staff):
    wanted = {"name": "ops", "severity_min": "info", "kinds": ["exhasted"], "url": URL}
    answer = staff.post(page("channel_add"), wanted)
    assert "exhasted is not one of the available choices" in answer.content.decode()
    assert not Channel.objects.exists()


def test_an_alert_says_what_it_means_and_leads_to_where_it_is_remedied(staff, people):
    api_key = add_key("nvidia-1")
    alert = raised(kind=KEY_BROKEN, key_id="nvidia-1")
    html = unescape(staff.get(page("alert_change", alert.pk)).content.decode())
    assert KEY_BROKEN.meaning in html
    assert KEY_BROKEN.remedy in html
    assert f'href="{alert.remedy_path}"' in html
    assert staff.get(alert.remedy_path).context["api_key"] == api_key


def test_an_alert_of_another_system_says_that_its_kind_is_unknown_here(staff):
    alert = raised(kind=replace(KEY_BROKEN, slug="foreign"))
    html = staff.get(page("alert_change", alert.pk)).content.decode()
    assert "This kind of alert comes from another system." in html
    assert "Open the page" not in html


def test_an_unusable_url_is_refused_without_showing_it(staff):
    wanted = {"name": "ops", "severity_min": "info", "kinds": [], "url": f"nosuch://{SECRET}"}
    answer = staff.post(page("channel_add"), wanted)
    assert "Butler cannot use this URL" in answer.content.decode()
    assert SECRET not in answer.content.decode()
    assert not Channel.objects.exists()


def test_an_empty_url_keeps_the_one_there_is(staff):
    kept = channel(URL)
    wanted = {"name": "night shift", "severity_min": "critical", "kinds": [], "url": ""}
    staff.post(page("channel_change", kept.pk), wanted)
    kept.refresh_from_db()
    assert (kept.name, kept.severity_min) == ("night shift", "critical")
    assert security.unseal_from(kept, "sealed_url") == URL
    staff.post(page("channel_change", kept.pk), wanted | {"url": "json://other.example.org"})
    kept.refresh_from_db()
    assert security.unseal_from(kept, "sealed_url") == "json://other.example.org"


@pytest.mark.django_db(transaction=True)
def test_the_test_button_shows_its_result_in_the_delivery_log(staff, webhook):
    kept = channel(webhook.url)
    assert staff.get(page("channel_send_test", kept.pk)).status_code == 200
    assert not Notification.objects.exists()
    answer = staff.post(page("channel_send_test", kept.pk), CONFIRMED)
    drain_queue()
    log = staff.get(answer.url).content.decode()
    assert "test message" in log
    assert "sent" in log
    assert SECRET not in log
    assert len(webhook.messages) == 1


def test_a_channel_is_switched_off_and_on(staff):
    kept = channel(URL)
    staff.post(page("channel_disable", kept.pk), CONFIRMED)
    assert Channel.objects.get().disabled_at
    staff.post(page("channel_enable", kept.pk), CONFIRMED)
    assert Channel.objects.get().disabled_at is None
