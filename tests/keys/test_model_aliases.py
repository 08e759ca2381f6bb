"""Names of the organisation that mean a model: at lending, in the admin, in state files."""

import pytest
from django.urls import reverse

from interchange import services as interchange
from keys import services as keys
from keys.models import ModelAlias
from keys.refusals import IdempotencyMismatch, ModelNotFound, WrongValue
from keys.supply.queries.model_policies import model_policies
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.interchange.exported import exported_documents
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import add_key, allocate, limit, make_people
from tests.moments import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key():
    """ada, bob and carol; a key that serves gpt-4.1, gpt-4o-mini and gpt-5-mini."""
    make_people()
    terms = keys.KeyTerms(provider="openai", model="gpt-4.1", serves=("gpt-4o-mini", "gpt-5-mini"))
    made = keys.add_key("key-1", terms=terms, secret="sk-1", actor=ACTOR, now=NOON)  # noqa: S106
    limit(made, 10_000_000)
    return made


def alias(name, model, position=0):
    """Let a name mean a model."""
    return keys.set_model_alias(name, model=model, position=position, actor=ACTOR, now=NOON)


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("fast", "gpt-4o-mini"),
        ("FAST", "gpt-4o-mini"),
        ("claude-haiku-4-5-20251001", "gpt-5-mini"),
        ("claude-3-5-haiku-latest", "gpt-5-mini"),
        ("anthropic/claude-3.5-haiku", None),
        ("claude-3-haiku", "gpt-4o-mini"),
        ("claude-sonnet-4-5", "gpt-4.1"),
        ("meta/llama-3.3-70b", "gpt-4o-mini"),
        ("llama-3.3-70b", None),
        ("", None),
    ],
)
def test_the_first_alias_that_matches_counts_and_names_come_before_patterns(name, means):
    alias("claude-*", "gpt-4.1", position=1)
    alias("claude-*haiku*", "gpt-5-mini")
    alias("claude-3-haiku", "gpt-4o-mini")
    alias("fast", "gpt-4o-mini")
    alias("meta/*", "gpt-4o-mini", position=-1)
    assert model_policies().meaning(name) == means


def test_a_position_decides_before_anything_else():
    alias("claude-3-haiku", "gpt-4o-mini", position=2)
    alias("*", "gpt-4.1", position=1)
    assert model_policies().meaning("claude-3-haiku") == "gpt-4.1"
    assert model_policies().meaning("") == "gpt-4.1"


def test_an_allocation_is_lent_for_what_the_alias_means():
    alias("fast", "gpt-4o-mini")
    lent = allocate(model="fast", idempotency_key="once")
    assert (lent.named_models, lent.price.model) == (["gpt-4o-mini"], "gpt-4o-mini")
    assert lent.asked["model"] == "fast"
    several = allocate(models=("fast", "gpt-4o-mini", "gpt-4.1"))
    assert (several.named_models, several.price.model) == (["gpt-4o-mini", "gpt-4.1"], "gpt-4.1")


def test_a_repeated_request_is_the_same_whatever_its_alias_means_by_then():
    alias("fast", "gpt-4o-mini")
    lent = allocate(model="fast", idempotency_key="once")
    alias("fast", "gpt-5-mini")
    assert allocate(model="fast", idempotency_key="once") == lent
    with pytest.raises(IdempotencyMismatch):
        allocate(model="gpt-4o-mini", idempotency_key="once")


def test_a_model_that_a_key_serves_is_itself():
    alias("gpt-*", "gpt-4.1")
    assert allocate(model="gpt-4o-mini").named_models == ["gpt-4o-mini"]
    assert allocate(model="gpt-4o-mini-2024-07-18").price.model == "gpt-4o-mini"
    assert allocate(model="gpt-6").named_models == ["gpt-4.1"]


def test_an_unknown_name_is_refused_as_before():
    alias("fast", "gpt-4o-mini")
    with pytest.raises(ModelNotFound) as refusal:
        allocate(models=("fast", "slow"))
    assert refusal.value.model == "slow"


@pytest.mark.parametrize(
    ("name", "model", "field"),
    [
        ("fast", "claude-opus", "model"),
        # An alias of an alias, as in a loop.
        ("smart", "fast", "model"),
        ("fast", "fast", "model"),
        ("fast", "", "model"),
        ("", "gpt-4.1", "name"),
        ("two words", "gpt-4.1", "name"),
        ("a\n", "gpt-4.1", "name"),
        ("x" * 201, "gpt-4.1", "name"),
    ],
)
def test_what_cannot_be_an_alias_is_refused_and_nothing_changes(name, model, field):
    alias("fast", "gpt-4o-mini")
    with pytest.raises(WrongValue) as refusal:
        alias(name, model)
    assert refusal.value.field == field
    assert [str(each) for each in ModelAlias.objects.all()] == ["fast → gpt-4o-mini"]


def test_an_alias_is_set_changed_and_removed_in_the_admin_with_a_reason(admin_client):
    add = reverse("admin:keys_modelalias_add")
    wanted = {"name": "Claude-*-Haiku*", "model": "gpt-5-mini", "position": 0}
    assert "Enter a reason" in admin_client.post(add, wanted).content.decode()
    wanted |= {"reason": "cheaper"}
    wrong = admin_client.post(add, wanted | {"model": "gpt-9"})
    assert "No API key serves gpt-9" in wrong.content.decode()
    wrong = admin_client.post(add, wanted | {"name": "claude haiku"})
    assert "without spaces" in wrong.content.decode()
    assert admin_client.post(add, wanted).status_code == 302
    row = ModelAlias.objects.get()
    page = reverse("admin:keys_modelalias_change", args=[row.pk])
    changed = {"model": "gpt-4o-mini", "position": 3, "reason": "still cheaper"}
    assert admin_client.post(page, changed).status_code == 302
    assert model_policies().aliases == (("claude-*-haiku*", "gpt-4o-mini"),)
    listed = admin_client.get(reverse("admin:keys_modelalias_changelist")).content.decode()
    assert "claude-*-haiku*" in listed
    dialog = reverse("admin:keys_modelalias_remove", args=[row.pk])
    admin_client.post(dialog, CONFIRMED | {"reason": "over"})
    assert not ModelAlias.objects.exists()
    entries = AuditEntry.objects.filter(action__startswith="model_alias").order_by("pk")
    assert [entry.reason for entry in entries] == ["cheaper", "still cheaper", "over"]
    assert entries[1].before["model"] == "gpt-5-mini"


def test_aliases_are_in_the_state_files():
    alias("fast", "gpt-4o-mini", position=2)
    _, exported = exported_documents(now=NOON)
    assert exported["modelAliases"] == {"fast": {"model": "gpt-4o-mini", "position": 2}}


def test_aliases_of_the_state_files_are_imported_after_the_keys():
    entry = {"id": "key-2", "provider": "groq", "model": "llama-x", "costPer1kTokens": 0.1}
    api_keys = {"keys": [entry], "modelAliases": {"fast": {"model": "llama-x"}}}
    state = {"timestamp": NOON.isoformat(), "keys": {}}
    interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=NOON)
    assert model_policies().meaning("fast") == "llama-x"
    _, exported = exported_documents(now=NOON)
    assert exported["modelAliases"] == api_keys["modelAliases"]


def test_an_alias_of_the_state_files_that_nothing_serves_is_named():
    add_key("key-2")
    api_keys = {"keys": [], "modelAliases": {"fast": {"model": "llama-x"}}}
    state = {"timestamp": NOON.isoformat(), "keys": {}}
    with pytest.raises(Exception, match="/modelAliases/fast: No API key serves llama-x"):
        interchange.import_state(state=state, api_keys=api_keys, actor=ACTOR, now=NOON)
    assert not ModelAlias.objects.exists()
