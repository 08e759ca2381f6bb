"""What Butler tells a person by e-mail, as *Settings*, *You* shows and changes it."""

from html import unescape

import pytest
from django.contrib.auth import get_user_model

from alerts import services
from alerts.models import Channel, Notification
from alerts.services import RouteTerms
from security.models import AuditEntry
from tests.actors import GRACE
from tests.alerts.builders import raised

pytestmark = pytest.mark.django_db


@pytest.fixture
def fina(client, people):
    """Fina is signed in, and a route leads to her."""
    made = get_user_model().objects.create_superuser("fina", email="fina@example.org")
    client.force_login(made)
    return made


def html_of(client, path="/settings/me"):
    return unescape(client.get(path).content.decode())


def change(client, **asked):
    return unescape(client.post("/settings/me?act=notices", asked, follow=True).content.decode())


def test_a_person_sees_what_was_sent_to_them_and_no_other(client, fina, now):
    other = get_user_model().objects.create_superuser("otto", email="otto@example.org")
    for person in (fina, other):
        terms = RouteTerms(name=f"to {person}", persons=[person.pk], severity_min="info")
        services.add_route(terms, actor=GRACE, now=now)
    raised(now=now)
    rows = {str(each.channel.person): str(each.delivery_id) for each in Notification.objects.all()}
    html = html_of(client)
    assert "fina@example.org" in html
    assert rows["fina"] in html
    assert rows["otto"] not in html
    # The log names the person and leads to no page of a channel.
    log = html_of(client, "/alerts/deliveries")
    assert f"/settings/people/{other.pk}" in log
    channel = Channel.objects.get(person=other)
    assert client.get(f"/alerts/channels/{channel.pk}").status_code == 404
    assert channel.name not in html_of(client, "/alerts/channels")
    row = Notification.objects.get(channel=channel)
    assert client.get(f"/alerts/deliveries/{row.pk}").status_code == 200


def test_quiet_hours_and_kinds_that_are_not_wanted_are_set(client, fina):
    html = html_of(client, "/settings/me?act=notices")
    assert 'value="key_cooling"' in html
    assert 'value="frozen"' not in html
    asked = {"quiet_from": "22:00", "quiet_until": "07:00", "muted_kinds": ["key_cooling"]}
    html = change(client, **asked)
    assert "22:00 to 07:00" in html
    assert "key cooling" in html
    assert AuditEntry.objects.filter(action="notices.change").count() == 1
    assert "22:00" in html_of(client, "/settings/me?act=notices")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"quiet_from": "22:00"}, "Quiet hours need a beginning and an end"),
        ({"muted_kinds": ["frozen"]}, "Select a valid choice"),
    ],
)
def test_security_cannot_be_muted(client, fina, asked, says):
    assert says in change(client, **asked)
    assert not Channel.objects.filter(person=fina).exclude(muted_kinds=[]).exists()


def test_who_has_no_address_is_told_so(client, fina):
    get_user_model().objects.update(email="")
    assert "ask an administrator to add it" in html_of(client)
    assert "You have no e-mail address." in change(client, quiet_from="", quiet_until="")
