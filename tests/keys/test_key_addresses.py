"""The secret of a key goes only to the address that it was entered for."""

import pytest
from django.utils import timezone

from alerts.models import Alert
from common import addresses
from keys import services as keys
from keys.models import ApiKey
from keys.refusals import WrongValue
from keys.supply.queries.upstreams import upstream_of
from security.vault import CannotUnseal
from tests.actors import ACTOR
from tests.keys.builders import PAID

pytestmark = pytest.mark.django_db
ELSEWHERE = "https://elsewhere.example/v1"
BY = {"actor": ACTOR, "reason": "r"}


def add(slug="nvidia-1", *, base_url="", secret="sk-one-1234567890", **terms):  # noqa: S107
    """A key with a secret."""
    asked = keys.KeyTerms(provider="nvidia", model="m1", rates=PAID, base_url=base_url, **terms)
    return keys.add_key(slug, terms=asked, secret=secret, actor=ACTOR, now=timezone.now())


def change(**changes):
    """Change the key, with or without its secret."""
    secret = changes.pop("secret", None)
    return keys.change_key("nvidia-1", changes=changes, secret=secret, now=timezone.now(), **BY)


def change_provider(base_url):
    """Give the provider another base URL."""
    about = {"name": "NVIDIA", "base_url": base_url, "wire_format": "openai"}
    return keys.change_provider("nvidia", **about, now=timezone.now(), **BY)


def test_another_address_needs_the_secret_again():
    add()
    with pytest.raises(WrongValue) as refusal:
        change(base_url=ELSEWHERE)
    assert refusal.value.field == "secret"
    assert ApiKey.objects.get().base_url == ""
    change(base_url=ELSEWHERE, secret="sk-two-1234567890")
    upstream = upstream_of("nvidia-1")
    assert (upstream.base_url, upstream.secret) == (ELSEWHERE, "sk-two-1234567890")


def test_people_are_told_of_another_address():
    add()
    change(base_url=ELSEWHERE, secret="sk-two-1234567890")
    [alert] = Alert.objects.filter(kind="key_url_changed")
    assert (alert.severity, alert.key_id) == ("critical", "nvidia-1")
    assert ELSEWHERE in alert.title


def test_the_address_that_the_secret_was_entered_for_needs_it_not():
    usual = add().provider.base_url
    change(base_url=usual)
    assert upstream_of("nvidia-1").secret == "sk-one-1234567890"


def test_other_terms_need_no_secret():
    add()
    change(priority=5, tokens_per_minute=10)
    assert upstream_of("nvidia-1").secret == "sk-one-1234567890"


def test_a_key_leaves_the_sandbox_only_with_its_secret():
    add(base_url=ELSEWHERE, sandbox=True)
    change(base_url="https://third.example/v1")
    with pytest.raises(WrongValue):
        change(sandbox=False)
    change(sandbox=False, secret="sk-two-1234567890")


def test_another_address_of_a_provider_switches_its_keys_off():
    add()
    add("nvidia-2", base_url=ELSEWHERE)
    add("nvidia-3", sandbox=True)
    change_provider("https://eu.nvidia.example/v1")
    statuses = dict(ApiKey.objects.values_list("slug", "status"))
    assert statuses == {"nvidia-1": "inactive", "nvidia-2": "active", "nvidia-3": "active"}
    [alert] = Alert.objects.filter(kind="provider_url_changed")
    assert alert.severity == "critical"
    assert "1 of its API keys" in alert.detail


@pytest.mark.django_db(transaction=True)
def test_such_a_key_is_switched_on_with_its_secret_or_the_old_address():
    usual = add().provider.base_url
    change_provider("https://eu.nvidia.example/v1")
    on = {"status": "active", "now": timezone.now(), **BY}
    with pytest.raises(WrongValue):
        keys.set_key_status("nvidia-1", **on)
    with pytest.raises(CannotUnseal):
        upstream_of("nvidia-1")
    change_provider(usual)
    keys.set_key_status("nvidia-1", **on)
    assert upstream_of("nvidia-1").secret == "sk-one-1234567890"
    change_provider("https://eu.nvidia.example/v1")
    keys.replace_secret("nvidia-1", secret="sk-two-1234567890", now=timezone.now(), **BY)
    keys.set_key_status("nvidia-1", **on)
    assert upstream_of("nvidia-1").secret == "sk-two-1234567890"


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/v1",
        "http://169.254.169.254/v1",
        "https://[fe80::1]/v1",
        "http://api.example.com/v1",
        "http://8.8.8.8/v1",
    ],
)
def test_an_address_outside_the_allowed_networks_is_refused(url):
    """O44."""
    with pytest.raises(WrongValue) as refusal:
        add(base_url=url)
    assert refusal.value.field == "base_url"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://ollama:11434/v1"]
)
def test_an_own_server_is_reached_without_tls_where_that_is_allowed(url, settings):
    add(base_url=url)
    settings.PROVIDER_NETWORKS = []
    with pytest.raises(WrongValue):
        add("nvidia-2", base_url=url)


def test_one_network_can_be_allowed(settings):
    settings.PROVIDER_NETWORKS = addresses.networks(["10.1.0.0/16"])
    add(base_url="http://10.1.2.3/v1")
    with pytest.raises(WrongValue):
        add("nvidia-2", base_url="https://10.2.0.1/v1")
