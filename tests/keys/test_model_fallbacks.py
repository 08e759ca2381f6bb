"""Models that serve instead of another one: which policy counts, the admin, state files."""

import pytest
from django.db import IntegrityError
from django.urls import reverse

from interchange import services as interchange
from keys import services as keys
from keys.models import ModelFallback
from keys.refusals import WrongValue
from keys.supply.queries.model_policies import model_policies
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.interchange.exported import exported_documents
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import limit, make_people
from tests.moments import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key():
    """ada, bob and carol; a key that serves gpt-4.1, gpt-4o-mini and gpt-5-mini."""
    make_people()
    terms = keys.KeyTerms(provider="openai", model="gpt-4.1", serves=("gpt-4o-mini", "gpt-5-mini"))
    limit(keys.add_key("key-1", terms=terms, secret="sk-1", actor=ACTOR, now=NOON), 10_000_000)


def fallback(model, *fallbacks, percent=None):
    """Let models serve instead of another one."""
    return keys.set_model_fallback(
        model, budget_percent=percent, fallbacks=fallbacks, actor=ACTOR, now=NOON
    )


@pytest.mark.parametrize(
    ("names", "served"),
    [
        (["gpt-4.1"], "gpt-4o-mini"),
        (["GPT-4.1"], "gpt-4o-mini"),
        (["gpt-4.1", "gpt-4.1-2025-04-14"], "gpt-4o-mini"),
        (["gpt-4.5"], "gpt-5-mini"),
        (["claude-opus-4-1", "anthropic/claude-opus-4.1"], "gpt-4.1"),
        (["nvidia/llama-3.3-70b"], None),
    ],
)
def test_names_come_before_patterns_and_long_patterns_before_short_ones(names, served):
    fallback("gpt-*", "gpt-4.1")
    fallback("gpt-4.*", "gpt-5-mini")
    fallback("GPT-4.1", "gpt-4o-mini")
    fallback("anthropic/*", "gpt-4.1")
    assert next(iter(model_policies().fallbacks_without_key(*names)), None) == served


@pytest.mark.parametrize(
    ("used_percent", "served"),
    [(0, None), (49.9, None), (50, "gpt-5-mini"), (89.9, "gpt-5-mini"), (90, "gpt-4o-mini")],
)
def test_of_the_thresholds_that_are_reached_the_highest_counts(used_percent, served):
    fallback("gpt-4.1", "gpt-5-mini", percent=50)
    fallback("gpt-4.1", "gpt-4o-mini", percent=90)
    fallback("gpt-4.1", "gpt-5-mini")
    found = model_policies().fallbacks_from_budget("gpt-4.1", used_percent=used_percent)
    assert next(iter(found), None) == served


@pytest.mark.parametrize(
    ("model", "fallbacks", "percent", "field"),
    [
        ("gpt-4.1", ["claude-opus"], None, "fallbacks"),
        ("gpt-4.1", ["gpt-4o-mini", "GPT-4.1"], None, "fallbacks"),
        ("gpt-4.1", [], None, "fallbacks"),
        ("gpt-4.1", ["gpt-4o-mini"] * 6, None, "fallbacks"),
        ("gpt-4.1", ["gpt-4o-mini"], 0, "budget_percent"),
        ("gpt-4.1", ["gpt-4o-mini"], 101, "budget_percent"),
        ("two words", ["gpt-4o-mini"], None, "model"),
        ("", ["gpt-4o-mini"], None, "model"),
    ],
)
def test_what_cannot_be_a_fallback_is_refused_and_nothing_changes(model, fallbacks, percent, field):
    fallback("gpt-5-mini", "gpt-4o-mini")
    with pytest.raises(WrongValue) as refusal:
        fallback(model, *fallbacks, percent=percent)
    assert refusal.value.field == field
    assert [str(each) for each in ModelFallback.objects.all()] == ["gpt-5-mini → gpt-4o-mini"]


def test_there_is_one_fallback_of_a_model_for_each_threshold():
    fallback("gpt-4.1", "gpt-4o-mini")
    fallback("gpt-4.1", "gpt-5-mini")
    assert [row.fallbacks for row in ModelFallback.objects.all()] == [["gpt-5-mini"]]
    with pytest.raises(IntegrityError, match="modelfallback_once_per_model_and_percent"):
        ModelFallback.objects.create(model="gpt-4.1", fallbacks=["gpt-4o-mini"])


def test_a_fallback_is_set_changed_and_removed_in_the_admin_with_a_reason(admin_client):
    add = reverse("admin:keys_modelfallback_add")
    wanted = {"model": "GPT-4*", "budget_percent": "80", "fallbacks": "gpt-5-mini, gpt-4o-mini"}
    assert "Enter a reason" in admin_client.post(add, wanted).content.decode()
    wanted |= {"reason": "cheaper"}
    wrong = admin_client.post(add, wanted | {"fallbacks": "gpt-9"})
    assert "gpt-9 cannot serve instead of gpt-4*" in wrong.content.decode()
    assert admin_client.post(add, wanted).status_code == 302
    assert "already exists" in admin_client.post(add, wanted).content.decode()
    row = ModelFallback.objects.get()
    page = reverse("admin:keys_modelfallback_change", args=[row.pk])
    changed = {"fallbacks": "gpt-4o-mini", "reason": "still cheaper"}
    assert admin_client.post(page, changed).status_code == 302
    assert model_policies().fallbacks == (("gpt-4*", 80, ("gpt-4o-mini",)),)
    listed = admin_client.get(reverse("admin:keys_modelfallback_changelist")).content.decode()
    assert "gpt-4*" in listed
    dialog = reverse("admin:keys_modelfallback_remove", args=[row.pk])
    admin_client.post(dialog, CONFIRMED | {"reason": "over"})
    assert not ModelFallback.objects.exists()
    entries = AuditEntry.objects.filter(action__startswith="model_fallback").order_by("pk")
    assert [entry.reason for entry in entries] == ["cheaper", "still cheaper", "over"]
    assert entries[1].before["fallbacks"] == ["gpt-5-mini", "gpt-4o-mini"]


def test_fallbacks_of_the_state_files_are_imported_after_the_keys_and_exported_again():
    entry = {"id": "key-2", "provider": "groq", "model": "llama-x", "costPer1kTokens": 0.1}
    wanted = {
        "gpt-*": {"noKey": ["llama-x"]},
        "gpt-4.1": {"noKey": ["llama-x"], "75": ["llama-x", "gpt-4o-mini"], "100": ["gpt-5-mini"]},
    }
    api_keys = {"keys": [entry], "modelFallbacks": wanted}
    state = {"timestamp": NOON.isoformat(), "keys": {}}
    interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=NOON)
    _, exported = exported_documents(now=NOON)
    assert exported["modelFallbacks"] == wanted


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"gpt-4.1": {"75": ["llama-x"]}}, "/modelFallbacks/gpt-4.1/75: llama-x cannot serve"),
        ({"gpt-4.1": {"always": ["gpt-5-mini"]}}, "/gpt-4.1: expected a name like"),
        ({"gpt-4.1": {"101": ["gpt-5-mini"]}}, "/gpt-4.1: expected a name like"),
        ({"GPT-5-mini": {"noKey": ["gpt-4.1"]}}, "already exist: gpt-5-mini"),
    ],
)
def test_a_fallback_of_the_state_files_that_cannot_be_is_named(entry, told):
    fallback("gpt-5-mini", "gpt-4o-mini")
    state = {"timestamp": NOON.isoformat(), "keys": {}}
    api_keys = {"keys": [], "modelFallbacks": entry}
    with pytest.raises(Exception, match=told):
        interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=NOON)
    assert ModelFallback.objects.get().fallbacks == ["gpt-4o-mini"]
