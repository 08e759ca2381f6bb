"""What the model catalogue knows of models: from the data file at first, then as users say."""

import json
from pathlib import Path

import pytest
from django.urls import reverse

from keys import jobs
from keys import services as keys
from keys.models import CatalogueModel
from keys.refusals import WrongValue
from keys.supply.bundled_models import SOURCE
from keys.supply.model_facts import ModelFacts, columns_of, facts_by_name, facts_from_columns
from keys.supply.queries.upstreams import upstream_of
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.keys.builders import make_people
from tests.moments import NOON

pytestmark = pytest.mark.django_db
GOLDEN = json.loads((Path(__file__).parent / "data" / "model_facts.json").read_text())


@pytest.fixture(autouse=True)
def people():
    """ada, bob and carol."""
    return make_people()


def add(model="gpt-4.1", *, provider="openai"):
    """A key, and the line of the catalogue of its model."""
    terms = keys.KeyTerms(provider=provider, model=model, serves=("*",))
    keys.add_key("key-1", terms=terms, secret="sk-1", actor=ACTOR, now=NOON)  # noqa: S106
    return CatalogueModel.objects.get(name=model)


def change(model, **changes):
    """Change a line of the catalogue."""
    by = {"actor": ACTOR, "reason": "measured", "now": NOON}
    return keys.change_model(model.provider_id, model.name, changes=changes, **by)


@pytest.mark.parametrize("group", GOLDEN, ids=lambda group: group["models"][0])
def test_every_bundled_model_begins_with_what_its_name_says(group):
    known = {name: value for name, value in group.items() if name != "models"}
    for name in group["models"]:
        known_later = {"reasons_unseen": False, "inputs": frozenset()}
        assert facts_by_name(name)._replace(**known_later) == facts_from_columns(
            known | known_later
        )


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4.1"),
        ("anthropic", "claude-sonnet-4-5"),
        ("mistral", "mistral-large-latest"),
        ("google", "gemini-2.5-pro"),
        ("groq", "llama-3.3-70b-versatile"),
    ],
)
def test_the_lines_of_a_provider_have_the_facts_of_their_names(provider, model):
    add(model, provider=provider)
    lines = CatalogueModel.objects.filter(provider=provider)
    assert len(lines) > 3
    assert all(line.facts == facts_by_name(line.name) for line in lines)
    assert all(each.facts == facts_by_name(each.name) for each in upstream_of("key-1").served)


@pytest.mark.parametrize(
    ("model", "unseen"),
    [
        ("o3-mini", True),
        ("openai/gpt-5-mini", True),
        ("gpt-5-chat-latest", False),
        ("gpt-5.2", False),
        ("gemini-2.5-pro", True),
        ("gemini-2.5-flash", False),
        ("x-ai/grok-4-0709", True),
        ("grok-4-fast-non-reasoning", False),
        ("claude-opus-4-7", False),
        ("deepseek-reasoner", False),
    ],
)
def test_models_that_reason_unseen_are_known(model, unseen):
    assert facts_by_name(model).reasons_unseen is unseen


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("gpt-3.5-turbo-0125", "text"),
        ("gpt-4", "text"),
        ("gpt-4-turbo-preview", "text"),
        ("gpt-4-turbo", "text image"),
        ("openai/gpt-4o-mini", "text image"),
        ("gpt-4o-audio-preview", ""),
        ("o3-mini", "text"),
        ("o3", "text image"),
        ("gpt-6-astra", ""),
        ("anthropic.claude-v1", "text"),
        ("claude-sonnet-4-5", "text image"),
        ("gemini-2.5-pro", ""),
        ("deepseek-reasoner", "text"),
        ("meta-llama/llama-3.3-70b-instruct", "text"),
        ("meta/llama-3.2-11b-vision-instruct", ""),
        ("nvidia/llama-3.1-nemotron-nano-vl-8b-v1", ""),
        ("qwen/qwen3-32b", "text"),
        ("qwen/qwen3-vl-8b-instruct", ""),
        ("my-own-model", ""),
    ],
)
def test_what_models_take_is_known_of_those_that_say_it(model, inputs):
    facts = facts_by_name(model)
    assert facts.inputs == frozenset(inputs.split())
    assert facts.takes("image") is (not inputs or "image" in inputs)


def test_a_changed_fact_reaches_the_gateway_and_the_audit():
    line, before = add(), upstream_of("key-1")
    change(line, tokenizer="", always_searches=True)
    after = upstream_of("key-1")
    assert after.version != before.version
    facts = after.serving("gpt-4.1").facts
    assert (facts.tokenizer, facts.always_searches) == ("", True)
    entry = AuditEntry.objects.get(action="model.change")
    assert (entry.before["tokenizer"], entry.after["tokenizer"]) == ("o200k_base", "")


def test_a_line_that_nobody_changed_follows_the_data_file_and_a_changed_one_stays():
    line = add()
    CatalogueModel.objects.update(tokenizer="cl100k_base", context_tokens=5)
    CatalogueModel.objects.filter(name="o3").update(source="keys of before", aliases=[])
    mine = CatalogueModel.objects.get(name="gpt-4o")
    change(mine, tokenizer="")
    before = upstream_of("key-1")
    assert jobs.refresh_catalogue() == CatalogueModel.objects.count() - 1
    line.refresh_from_db()
    assert line.facts == facts_by_name("gpt-4.1")
    assert (line.context_tokens, line.source) == (1_000_000, SOURCE)
    assert CatalogueModel.objects.get(name="o3").source == SOURCE
    mine.refresh_from_db()
    assert (mine.tokenizer, mine.context_tokens, mine.source) == ("", 5, ACTOR.name)
    assert upstream_of("key-1").version != before.version
    assert jobs.refresh_catalogue() == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tokenizer": "p50k_base"}, "Use o200k_base, cl100k_base"),
        ({"output_field": "max_length"}, "Use max_tokens, max_completion_tokens"),
        ({"refused_parameters": ["temperature"]}, "Use stream_options"),
        ({"image_rules": {"tiles": {"base": -1, "tile": 1}}}, "$.tiles.base"),
        ({"image_rules": {"tiles": {"base": 85}}}, "tile"),
        ({"image_rules": {"circles": {}}}, "circles"),
        ({"image_rules": [85, 170]}, "Expected `object`"),
        ({"image_rules": {"patches": {"per_patch": 0, "patches_max": 9}}}, "per_patch"),
        ({"image_rules": {"flat": {"tokens": "many"}}}, "$.flat.tokens"),
    ],
)
def test_a_fact_that_the_gateway_cannot_use_is_refused(admin_client, wrong, says):
    line = add()
    with pytest.raises(WrongValue) as refusal:
        change(line, **wrong)
    assert says in refusal.value.detail
    [field] = wrong
    assert refusal.value.field == field


def form(line, **changes):
    """The fields of the page of a model."""
    shown = {
        "aliases": ",".join(line.aliases),
        "pattern": line.pattern,
        "context_tokens": line.context_tokens or "",
        "output_tokens_max": line.output_tokens_max or "",
        "outputs": ",".join(line.outputs),
        **columns_of(line.facts),
    }
    shown |= {
        "image_rules": json.dumps(shown["image_rules"]),
        "refused_parameters": ",".join(shown["refused_parameters"]),
        "reason": "measured",
        **changes,
    }
    return {name: value for name, value in shown.items() if value is not False}


def test_facts_are_changed_in_the_admin(admin_client):
    line = add()
    page = reverse("admin:keys_cataloguemodel_change", args=[line.pk])
    wrong = admin_client.post(page, form(line, image_rules='{"tiles": {"base": 85}}'))
    assert "Write them as" in wrong.content.decode()
    wrong = admin_client.post(page, form(line, refused_parameters="temperature"))
    assert "is not known" in wrong.content.decode()
    wrong = admin_client.post(page, form(line, inputs="text,video"))
    assert "&#x27;video&#x27; is not known. Use text, image, audio." in wrong.content.decode()
    changes = {
        "tokenizer": "",
        "inputs": "text",
        "image_rules": '{"flat": {"tokens": 7}}',
        "reasons_unseen": "on",
    }
    right = form(line, refused_parameters="stream_options,prompt_cache_key", **changes)
    assert admin_client.post(page, right).status_code == 302
    line.refresh_from_db()
    assert line.image_rules == {"flat": {"tokens": 7}}
    assert line.facts == ModelFacts(
        short_template=True,
        image_rules=line.facts.image_rules,
        refused_parameters=frozenset({"stream_options", "prompt_cache_key"}),
        reasons_unseen=True,
        inputs=frozenset({"text"}),
    )
    entry = AuditEntry.objects.get(action="model.change")
    assert set(entry.after) >= {"tokenizer", "inputs", "image_rules", "reasons_unseen"}


def test_the_list_says_which_keys_serve_a_model_and_what_it_costs(
    admin_client, django_assert_max_num_queries
):
    add()
    page = reverse("admin:keys_cataloguemodel_changelist")
    with django_assert_max_num_queries(15):
        shown = admin_client.get(page, {"q": "gpt-4.1", "provider__slug__exact": "openai"})
    listed = shown.content.decode()
    assert "key-1" in listed
    assert "0.002 / 0.008" in listed
    assert "gpt-4o" not in listed
