"""API keys in the admin: limits change with a reason, by services; secrets are never shown."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from keys import services as keys
from keys.models import ApiKey, Limit, Provider
from keys.refusals import WrongValue
from keys.supply.queries.upstreams import upstream_of
from security import services as security
from security.models import AuditEntry
from tests.keys.admin_forms import CONFIRMED, row
from tests.keys.builders import PAID, add_key, limit

pytestmark = pytest.mark.django_db
SECRET = "canary-4f1d77a0c2"


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


def page(name, *args):
    """The address of an admin page of the app, or of the audit."""
    if name.startswith("auditentry"):
        return reverse(f"admin:security_{name}", args=args)
    return reverse(f"admin:keys_{name}", args=args)


def form_of(api_key, **changes):
    """What the browser posts from a key's page, with changes."""
    limits = list(Limit.objects.filter(api_key=api_key, removed_at=None).order_by("pk"))
    fields = {
        "base_url": api_key.base_url,
        "priority": api_key.priority,
        "requests_per_minute": "",
        "tokens_per_minute": "",
        "reason": "",
        "limits-TOTAL_FORMS": len(limits),
        "limits-INITIAL_FORMS": len(limits),
    }
    for number, each in enumerate(limits):
        fields |= row(number, each.unit, each.period, each.amount, pk=each.pk, key=api_key.pk)
    return fields | {name.replace("__", "-"): value for name, value in changes.items()}


def test_a_limit_changes_with_a_reason_and_the_change_is_shown(staff):
    api_key = add_key("nvidia-1", per_day=1_000_000)
    wanted = form_of(api_key, limits__0__amount="2500000", reason="the contract grew")
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted, follow=True)
    assert "was changed successfully" in answer.content.decode()
    assert Limit.objects.get().amount == 2_500_000
    assert Limit.objects.get().windows.get(closed_at=None).amount == 2_500_000
    entry = AuditEntry.objects.filter(action="limit.set").first()
    assert (entry.actor, entry.reason, entry.address) == (
        "grace",
        "the contract grew",
        "127.0.0.1",
    )
    amounts = entry.before["tokens_per_day"], entry.after["tokens_per_day"]
    assert amounts == ("1000000", "2500000")
    html = staff.get(page("apikey_change", "nvidia-1")).content.decode()
    assert "<del>1,000,000</del>" in html
    assert "<ins>2,500,000</ins>" in html
    assert "the contract grew" in html


def test_a_limit_does_not_change_without_a_reason(staff):
    """O46."""
    api_key = add_key("nvidia-1", per_day=1_000_000)
    wanted = form_of(api_key, limits__0__amount="2500000", reason="  ")
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted)
    assert "limits are not changed without one" in answer.content.decode()
    assert Limit.objects.get().amount == 1_000_000
    assert not AuditEntry.objects.filter(actor_name="grace").exists()


def test_limits_are_added_and_removed_with_a_reason(staff):
    api_key = add_key("nvidia-1", per_day=1_000_000)
    wanted = form_of(
        api_key,
        limits__TOTAL_FORMS=2,
        limits__0__DELETE="on",
        reason="paid by the month now",
        **row(1, "usd", "month", "99.5", zone="Europe/Berlin", reset_hour=6),
    )
    staff.post(page("apikey_change", "nvidia-1"), wanted)
    standing = Limit.objects.get(removed_at=None)
    assert (standing.unit, standing.period, standing.amount) == ("usd", "month", 99.5)
    assert (standing.zone, standing.reset_hour) == ("Europe/Berlin", 6)
    assert set(AuditEntry.objects.filter(actor_name="grace").values_list("reason", flat=True)) == {
        "paid by the month now"
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": "1.5"}, "whole number of tokens"),
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"zone": "Mars/Olympus"}, "time zone"),
        ({"reset_hour": "24"}, "from 0 to 23"),
    ],
)
def test_a_wrong_limit_is_refused_beside_its_field(staff, change, words):
    api_key = add_key("nvidia-1", per_day=1_000_000)
    changes = {f"limits__0__{name}": value for name, value in change.items()}
    answer = staff.post(page("apikey_change", "nvidia-1"), form_of(api_key, reason="x", **changes))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert Limit.objects.get().amount == 1_000_000


def test_two_limits_of_one_name_are_refused(staff):
    api_key = add_key("nvidia-1", per_day=1_000_000)
    again = row(1, "tokens", "day", "5")
    wanted = form_of(api_key, limits__TOTAL_FORMS=2, reason="x", **again)
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted)
    assert "There can be only one limit in tokens per day" in answer.content.decode()
    assert Limit.objects.get().amount == 1_000_000


def test_terms_of_a_key_change_with_a_reason(staff):
    api_key = add_key("nvidia-1")
    address = page("apikey_change", "nvidia-1")
    answer = staff.post(address, form_of(api_key, priority=9))
    assert "Enter a reason for the change." in answer.content.decode()
    staff.post(address, form_of(api_key, priority=9, tokens_per_minute=600, reason="faster"))
    api_key.refresh_from_db()
    assert (api_key.priority, api_key.tokens_per_minute) == (9, 600)
    entry = AuditEntry.objects.filter(action="key.change", actor_name="grace").get()
    assert entry.before == {"priority": 0, "tokens_per_minute": None}
    assert entry.after == {"priority": 9, "tokens_per_minute": 600}


def test_fields_that_may_pass_are_changed_with_a_reason(staff):
    api_key = add_key("nvidia-1")
    wanted = form_of(api_key, passed_fields="enable_search, provider.only", reason="contract")
    staff.post(page("apikey_change", "nvidia-1"), wanted)
    api_key.refresh_from_db()
    assert api_key.passed_fields == ["enable_search", "provider.only"]
    entry = AuditEntry.objects.filter(action="key.change", actor_name="grace").get()
    assert (entry.before, entry.reason) == ({"passed_fields": []}, "contract")


def test_what_is_not_changed_leaves_no_history(staff):
    api_key = add_key("nvidia-1")
    staff.post(page("apikey_change", "nvidia-1"), form_of(api_key, reason="just looking"))
    assert not AuditEntry.objects.filter(actor_name="grace").exists()


def new_key(**changes):
    """What the browser posts from the form of a new key."""
    return {
        "slug": "nvidia-7",
        "provider": "nvidia",
        "model": "model-1",
        "new_secret": SECRET,
        "base_url": "",
        "priority": 5,
        "requests_per_minute": "",
        "tokens_per_minute": "",
        "input_rate": "0.001",
        "output_rate": "0.002",
        "reason": "",
        "limits-TOTAL_FORMS": 0,
        "limits-INITIAL_FORMS": 0,
    } | changes


@pytest.fixture
def nvidia(db):
    """A provider."""
    return Provider.objects.create(slug="nvidia", name="Nvidia")


def test_a_key_is_added_with_its_limit_and_its_secret_is_never_shown(staff, nvidia):
    limits = row(0, "tokens", "day", "5000000") | {"limits-TOTAL_FORMS": 1}
    limits |= {"limits-0-carry_over_max": "250000"}
    wanted = new_key(reason="bought", **limits)
    answer = staff.post(page("apikey_add"), wanted, follow=True)
    added = ApiKey.objects.get()
    assert (added.slug, added.priority, added.status) == ("nvidia-7", 5, "active")
    assert security.unseal_from(added, "secret") == SECRET
    assert (added.limits.get().amount, added.limits.get().carry_over_max) == (5_000_000, 250_000)
    assert (added.price.input, added.price.source) == (Decimal("0.001"), "grace")
    responses = [
        answer,
        staff.get(page("apikey_change", "nvidia-7")),
        staff.get(page("apikey_changelist")),
        staff.get(page("auditentry_changelist")),
        staff.get(page("apikey_history", "nvidia-7"), follow=True),
    ]
    for each in responses:
        assert each.status_code == 200
        assert SECRET not in each.content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"slug": "Nvidia 7"}, "slug"),
        ({"slug": "Nvidia-7"}, "cannot be used as a name"),
        ({"slug": "taken-1"}, "already exists"),
        ({"new_secret": ""}, "required"),
        ({"input_rate": "", "output_rate": ""}, "Enter what its tokens cost"),
        ({"input_rate": ""}, "Enter both costs, or leave both empty"),
        ({"input_rate": "3"}, "Input costs 3 US dollars per 1,000 tokens, above all known prices"),
    ],
)
def test_a_wrong_new_key_is_refused_without_showing_its_secret(staff, nvidia, change, words):
    add_key("taken-1")
    answer = staff.post(page("apikey_add"), new_key(**change))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert SECRET not in answer.content.decode()
    assert ApiKey.objects.count() == 1


def test_a_key_is_switched_off_and_on_with_a_reason(staff):
    add_key("nvidia-1")
    off, on = page("apikey_switch_off", "nvidia-1"), page("apikey_switch_on", "nvidia-1")
    staff.post(off, CONFIRMED)
    assert ApiKey.objects.get().status == "active"
    staff.post(off, CONFIRMED | {"reason": "leaked?"})
    assert (ApiKey.objects.get().status, ApiKey.objects.get().status_reason) == (
        "inactive",
        "leaked?",
    )
    staff.post(on, CONFIRMED | {"reason": "it was not"})
    assert ApiKey.objects.get().status == "active"
    switched = AuditEntry.objects.filter(action="key.change_status")
    assert [entry.actor for entry in switched] == ["grace"] * 2


def test_a_secret_is_replaced_and_never_shown(staff):
    add_key("nvidia-1")
    asked = CONFIRMED | {"secret": SECRET, "reason": "rotated by the provider"}
    answer = staff.post(page("apikey_replace_secret", "nvidia-1"), asked, follow=True)
    assert security.unseal_from(ApiKey.objects.get(), "secret") == SECRET
    assert SECRET not in answer.content.decode()
    half = staff.post(page("apikey_replace_secret", "nvidia-1"), CONFIRMED | {"secret": SECRET})
    assert SECRET not in half.content.decode()
    assert SECRET not in staff.get(page("auditentry_changelist")).content.decode()


def test_the_cost_of_a_key_is_set(staff):
    add_key("nvidia-1", rates=PAID)
    asked = CONFIRMED | {"input": "0.5", "output": "1", "reason": "new contract"}
    staff.post(page("apikey_set_cost", "nvidia-1"), asked)
    price = ApiKey.objects.get().price
    assert (price.input, price.cached, price.output, price.source) == (0.5, 0.5, 1, "grace")


def test_costs_above_all_known_prices_are_taken_only_if_they_are_meant(staff, nvidia):
    meant = {"cost_is_meant": "on"}
    staff.post(page("apikey_add"), new_key(input_rate="2", output_rate="9") | meant)
    assert ApiKey.objects.get().price.output == 9
    key, reason = "nvidia-7", {"reason": "new contract"}
    served = {"serves": "model-2 2.5 10"}
    for name, asked in (("set_cost", {"input": "0.5", "output": "15"}), ("set_models", served)):
        asked |= CONFIRMED | reason
        before = AuditEntry.objects.count()
        answer = staff.post(page(f"apikey_{name}", key), asked)
        assert "above all known prices" in answer.content.decode()
        assert AuditEntry.objects.count() == before
        staff.post(page(f"apikey_{name}", key), asked | meant)
        assert AuditEntry.objects.count() > before
    assert ApiKey.objects.get().price.output == 15


def test_a_secret_that_cannot_be_unsealed_is_shown_red(staff):
    add_key("nvidia-1")
    add_key("nvidia-2")
    # As after a lost sealing key: what is sealed for one row cannot be read in another.
    ApiKey.objects.filter(pk="nvidia-2").update(secret=ApiKey.objects.get(pk="nvidia-1").secret)
    listed = staff.get(page("apikey_changelist")).content.decode()
    assert listed.count("cannot be unsealed") == 1
    assert "bg-red-100" in listed
    assert "cannot be unsealed" in staff.get(page("apikey_change", "nvidia-2")).content.decode()


def test_who_may_only_look_changes_nothing(client):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__in=["view_apikey"]))
    client.force_login(carol)
    api_key = add_key("nvidia-1")
    response = client.get(page("apikey_change", "nvidia-1"))
    assert response.status_code == 200
    assert 'name="reason"' not in response.content.decode()
    wanted = form_of(api_key, limits__0__amount="5", reason="x")
    assert client.post(page("apikey_change", "nvidia-1"), wanted).status_code == 403
    for action in ("switch_on", "switch_off", "replace_secret", "set_cost"):
        answer = client.post(page(f"apikey_{action}", "nvidia-1"), CONFIRMED | {"reason": "x"})
        assert answer.status_code == 403
    assert client.get(page("apikey_add")).status_code == 403
    assert client.get(page("agent_changelist")).status_code == 403
    assert ApiKey.objects.get().status == "active"


def test_who_may_not_change_limits_changes_only_the_key(client):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    names = ["view_apikey", "change_apikey", "view_limit"]
    carol.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(carol)
    api_key = add_key("nvidia-1", per_day=1_000_000)
    wanted = form_of(api_key, priority=3, limits__0__amount="5", reason="x")
    client.post(page("apikey_change", "nvidia-1"), wanted)
    assert Limit.objects.get().amount == 1_000_000
    assert ApiKey.objects.get().priority == 3


def test_keys_are_not_deleted(staff):
    add_key("nvidia-1")
    assert staff.post(page("apikey_delete", "nvidia-1"), {"post": "yes"}).status_code == 403
    assert ApiKey.objects.count() == 1


def test_keys_are_listed_in_as_many_queries_as_one(staff, django_assert_max_num_queries):
    now = timezone.now()
    for number in range(30):
        limit(add_key(f"nvidia-{number}"), 50, unit="usd", period="month", now=now)
    with django_assert_max_num_queries(10):
        html = staff.get(page("apikey_changelist")).content.decode()
    assert html.count("butler-bar-free") == 60


def test_a_key_is_found_by_the_beginning_of_its_name(staff):
    add_key("nvidia-1")
    add_key("groq-1", provider="groq")
    html = staff.get(page("apikey_changelist") + "?q=nvi").content.decode()
    assert "nvidia-1" in html
    assert "groq-1" not in html


def test_a_refusal_of_a_service_is_a_message_not_an_error(staff, nvidia, monkeypatch):
    def refuse(*args, **kwargs):
        raise WrongValue("no room at all", field="priority")

    monkeypatch.setattr(keys, "change_key", refuse)
    api_key = add_key("nvidia-1")
    wanted = form_of(api_key, priority=4, reason="x")
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted, follow=True)
    assert "no room at all" in answer.content.decode()


def test_an_endpoint_is_refused_as_base_url_beside_its_field(staff):
    api_key = add_key("nvidia-1", per_day=1_000_000)
    endpoint = "https://integrate.api.nvidia.com/v1/chat/completions"
    wanted = form_of(api_key, base_url=endpoint, reason="a new address")
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted, follow=True)
    assert "Enter the base URL: https://integrate.api.nvidia.com/v1" in answer.content.decode()
    assert ApiKey.objects.get().base_url == ""
    wanted = {"name": "NVIDIA", "base_url": endpoint, "wire_format": "openai", "reason": "moved"}
    answer = staff.post(page("provider_change", "nvidia"), wanted, follow=True)
    assert "Enter the base URL: https://integrate.api.nvidia.com/v1" in answer.content.decode()


def test_https_is_assumed_in_the_forms_too(staff):
    add_key("nvidia-1")
    wanted = {"name": "NVIDIA", "base_url": "api.example.com/v1", "wire_format": "openai"}
    staff.post(page("provider_change", "nvidia"), wanted | {"reason": "moved"})
    assert Provider.objects.get(pk="nvidia").base_url == "https://api.example.com/v1"
    # What changes nothing needs no reason.
    about = Provider.objects.values("name", "base_url", "wire_format").get(pk="nvidia")
    answer = staff.post(page("provider_change", "nvidia"), about, follow=True)
    said = [str(each) for each in answer.context["messages"]]
    assert answer.redirect_chain and not any("reason" in each for each in said), said


ELSEWHERE = "https://elsewhere.example/v1"


def test_another_base_url_is_taken_with_the_secret_only(staff):
    api_key = add_key("nvidia-1")
    wanted = form_of(api_key, base_url=ELSEWHERE, reason="moved")
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted)
    assert "Enter the secret again: it is sent to https://elsewhere" in answer.content.decode()
    assert ApiKey.objects.get().base_url == ""
    staff.post(page("apikey_change", "nvidia-1"), wanted | {"new_secret": "sk-two-1234567890"})
    upstream = upstream_of("nvidia-1")
    assert (upstream.base_url, upstream.secret) == (ELSEWHERE, "sk-two-1234567890")
    change = AuditEntry.objects.about("key:nvidia-1").get(action="key.change")
    assert change.after == {"base_url": ELSEWHERE, "secret": "replaced"}


def test_a_secret_beside_the_same_base_url_is_not_dropped_silently(staff):
    api_key = add_key("nvidia-1")
    wanted = form_of(api_key, priority=4, new_secret="sk-two-1234567890", reason="rotated")  # noqa: S106
    answer = staff.post(page("apikey_change", "nvidia-1"), wanted)
    assert "Choose Replace secret instead" in answer.content.decode()
    assert ApiKey.objects.get().priority == 0
    assert upstream_of("nvidia-1").secret != "sk-two-1234567890"
