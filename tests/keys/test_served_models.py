"""Which models a key serves, at what price; the model catalogue; allocations for several models."""

from decimal import Decimal

import pytest
from django.urls import reverse

from keys import services as keys
from keys.models import ApiKey, CatalogueModel, Price, ServedModel
from keys.refusals import ApiKeyNotFound, ModelNotFound, NoKeyCapacity, RotationRefused, WrongValue
from keys.supply.pricing import Rates
from keys.supply.queries.upstreams import upstream_of
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import PAID, allocate, limit, make_people
from tests.moments import NOON

pytestmark = pytest.mark.django_db
OWN = Rates(input=Decimal("0.001"), output=Decimal("0.002"))


@pytest.fixture(autouse=True)
def people():
    """ada, bob and carol."""
    return make_people()


def add(slug, model="gpt-4.1", *, tokens=10_000_000, **terms):
    """A key of OpenAI's under a limit."""
    asked = keys.KeyTerms(**{"provider": "openai", "model": model, **terms})
    key = keys.add_key(slug, terms=asked, secret="sk-1", actor=ACTOR, now=NOON)  # noqa: S106
    limit(key, tokens, now=NOON)
    return key


def serve(slug, *serves, **rates):
    """Set the models of a key."""
    return keys.set_served_models(
        slug, serves=serves, rates=rates, actor=ACTOR, reason="asked for", now=NOON
    )


def served(slug):
    """The models that a key serves, by name."""
    rows = ServedModel.objects.filter(api_key=slug).select_related("model", "price")
    return {row.model.name: row.price for row in rows}


def test_a_key_serves_its_own_model_at_its_own_price():
    key = add("key-1", "own", provider="p1", rates=OWN)
    assert served("key-1") == {"own": key.price}
    keys.set_price("key-1", rates=PAID, actor=ACTOR, reason="dearer", now=NOON)
    key.refresh_from_db()
    assert served("key-1") == {"own": key.price}


@pytest.mark.parametrize(
    ("serves", "some", "not_any"),
    [
        (["gpt-4o*"], {"gpt-4o", "gpt-4o-mini"}, {"gpt-5", "o3"}),
        (["*"], {"gpt-4o", "gpt-5", "o3", "text-embedding-3-small"}, set()),
        (["o3", "gpt-5-mini"], {"o3", "gpt-5-mini"}, {"gpt-4o"}),
        (["gpt-4o*", "o3*"], {"gpt-4o-mini", "o3-mini"}, {"gpt-5"}),
        (["text-embedding-?-small"], {"text-embedding-3-small"}, {"text-embedding-3-large"}),
        ([], set(), {"gpt-4o"}),
    ],
)
def test_names_and_patterns_are_models_of_the_catalogue_that_have_a_price(serves, some, not_any):
    add("key-1", serves=tuple(serves))
    names = set(served("key-1"))
    assert {"gpt-4.1", *some} <= names
    assert not names & not_any
    assert all(price.rates.input >= 0 for price in served("key-1").values())


def test_two_keys_share_the_lines_of_the_price_book_and_of_the_catalogue():
    add("key-1", serves=("*",))
    prices, models = Price.objects.count(), CatalogueModel.objects.count()
    add("key-2", serves=("*",))
    assert (Price.objects.count(), CatalogueModel.objects.count()) == (prices, models)
    assert served("key-1") == served("key-2")


def test_the_list_is_replaced_and_prices_of_its_own_stay():
    add("key-1")
    serve("key-1", "gpt-4o", "o3", **{"gpt-4o": OWN})
    assert set(served("key-1")) == {"gpt-4.1", "gpt-4o", "o3"}
    serve("key-1", "gpt-4o")
    assert set(served("key-1")) == {"gpt-4.1", "gpt-4o"}
    assert served("key-1")["gpt-4o"].rates.output == OWN.output
    entry = AuditEntry.objects.about("key:key-1").filter(action="key.change_models").first()
    assert (entry.before, entry.after["serves"]) == ({"serves": ["gpt-4o", "o3"]}, ["gpt-4o"])


def test_a_model_without_a_price_needs_one():
    add("key-1", "own", provider="p1", rates=OWN)
    with pytest.raises(WrongValue) as refusal:
        serve("key-1", "other")
    assert "other of p1" in refusal.value.detail
    assert set(served("key-1")) == {"own"}
    serve("key-1", "other", other=OWN)
    assert served("key-1")["other"].rates.input == OWN.input
    with pytest.raises(ApiKeyNotFound):
        serve("key-9", "other")


def test_what_a_key_serves_changes_its_version():
    add("key-1")
    before = upstream_of("key-1")
    serve("key-1", "o3")
    after = upstream_of("key-1")
    assert before.version != after.version
    assert (before.serving("o3"), after.serving("o3").name) == (None, "o3")


def test_a_line_of_the_catalogue_is_changed_and_its_keys_are_read_again():
    add("key-1")
    before = upstream_of("key-1")
    change = {"output_tokens_max": 1000, "aliases": ["Fast"], "pattern": "fast-.*"}
    model = keys.change_model(
        "openai", "gpt-4.1", changes=change, actor=ACTOR, reason="measured", now=NOON
    )
    after = upstream_of("key-1")
    assert before.version != after.version
    for name in ("gpt-4.1", "fast", "FAST-2"):
        assert after.serving(name).output_tokens_max == 1000
    assert after.serving("slow") is None
    [entry] = AuditEntry.objects.filter(action="model.change")
    assert (entry.subject, entry.reason) == (f"model:{model.pk}", "measured")
    assert allocate(models=("fast",)).api_key_id == "key-1"


@pytest.mark.parametrize("change", [{"pattern": "("}, {"name": "other"}])
def test_a_wrong_line_of_the_catalogue_is_refused(change):
    add("key-1")
    with pytest.raises(WrongValue):
        keys.change_model("openai", "gpt-4.1", changes=change, actor=ACTOR, reason="test", now=NOON)
    with pytest.raises(ModelNotFound):
        keys.change_model("openai", "none", changes={}, actor=ACTOR, reason="test", now=NOON)


def test_an_allocation_for_models_gets_a_key_that_serves_all_at_the_price_of_the_dearest():
    add("key-1", priority=9)
    add("key-2", "gpt-4o-mini", serves=("gpt-4.1",))
    lent = allocate(models=("gpt-4o-mini", "gpt-4.1"))
    assert (lent.api_key_id, lent.price.model) == ("key-2", "gpt-4.1")
    assert lent.named_models == ["gpt-4o-mini", "gpt-4.1"]
    assert lent.allocated_cost == Decimal("0.000008") * lent.allocated
    assert_books_balance()


def test_a_model_that_nothing_serves_is_named():
    add("key-1")
    with pytest.raises(ModelNotFound) as refusal:
        allocate(models=("gpt-4.1", "claude-x"))
    assert refusal.value.model == "claude-x"
    with pytest.raises(WrongValue):
        allocate(model="gpt-4.1", models=("gpt-4.1",))
    with pytest.raises(WrongValue):
        allocate(models=tuple(f"m{n}" for n in range(21)))


def test_where_no_key_serves_all_each_model_needs_a_key_with_room():
    add("key-1")
    add("key-2", "text-embedding-3-small", tokens=20_000)
    lent = allocate(tokens=5_000, models=("gpt-4.1", "text-embedding-3-small"))
    assert (lent.api_key_id, lent.price.model) == ("key-1", "gpt-4.1")
    with pytest.raises(NoKeyCapacity):
        allocate(tokens=50_000, models=("gpt-4.1", "text-embedding-3-small"))
    assert_books_balance()


def test_a_target_of_a_rotation_serves_the_models():
    add("key-1", priority=9, serves=("o3",))
    add("key-2")
    add("key-3", serves=("o*",))
    lent = allocate(models=("gpt-4.1", "o3"))
    with pytest.raises(RotationRefused) as refusal:
        keys.rotate(allocation=lent, key="key-2", reason="", actor=ACTOR, now=NOON)
    assert "does not serve o3" in refusal.value.detail
    rotation, _ = keys.rotate(allocation=lent, reason="", actor=ACTOR, now=NOON)
    assert rotation.to_key_id == "key-3"
    assert_books_balance()


def test_models_are_set_and_shown_in_the_admin(admin_client):
    key = add("key-1")
    dialog = reverse("admin:keys_apikey_set_models", args=[key.pk])
    wanted = {"serves": "o3*\nmy-model 0.001 0.002\n", "reason": "asked for"}
    answer = admin_client.post(dialog, CONFIRMED | wanted)
    assert answer.status_code in (200, 302)
    assert {"o3", "o3-mini", "my-model"} <= set(served("key-1"))
    assert served("key-1")["my-model"].rates.output == OWN.output
    page = admin_client.get(reverse("admin:keys_apikey_change", args=[key.pk])).content.decode()
    assert "my-model" in page
    assert "o3*\nmy-model</textarea>" in admin_client.get(dialog).content.decode()
    wrong = admin_client.post(dialog, CONFIRMED | {"serves": "a b c", "reason": "x"})
    assert "two costs" in wrong.content.decode()
    assert ApiKey.objects.get().serves == ["o3*", "my-model"]


def test_a_model_is_changed_in_the_admin_with_a_reason(admin_client):
    add("key-1")
    model = CatalogueModel.objects.get(name="gpt-4.1")
    page = reverse("admin:keys_cataloguemodel_change", args=[model.pk])
    wanted = {"aliases": "fast,big", "pattern": model.pattern, "outputs": "text"}
    wanted |= {"context_tokens": 1000, "output_tokens_max": 100, "output_field": model.output_field}
    assert "Enter a reason" in admin_client.post(page, wanted).content.decode()
    assert admin_client.post(page, wanted | {"reason": "measured"}).status_code == 302
    model.refresh_from_db()
    assert (model.aliases, model.output_tokens_max) == (["fast", "big"], 100)
    listed = admin_client.get(reverse("admin:keys_cataloguemodel_changelist"))
    assert "gpt-4.1" in listed.content.decode()


@pytest.mark.parametrize("order", [("dear", "own"), ("own", "dear")])
def test_holds_of_one_batch_at_different_prices_never_exceed_the_usd_set_aside(order):
    add("key-1", "own", provider="p1", rates=OWN)
    serve("key-1", "dear", dear=Rates(input=Decimal("0.02"), output=Decimal("0.04")))
    lent, dear = allocate(tokens=10_000, models=()), served("key-1")["dear"]
    prices = {"own": (None, None), "dear": (dear.pk, dear.token_cost_max)}
    asked = [
        keys.HoldRequest(
            lent.pk, 10, 400, f"call-{n}", api_key="key-1", price_id=price, token_cost=cost
        )
        for n, (price, cost) in enumerate(prices[model] for model in order)
    ]
    held = keys.hold_many(asked, now=NOON)
    for model, each in zip(order, held, strict=True):
        rate = dear.token_cost_max if model == "dear" else lent.token_cost_max
        assert each.cost == each.tokens * rate
    lent.refresh_from_db()
    assert lent.held_cost <= lent.allocated_cost
    assert sum(each.tokens for each in held) == 400 * len(order)
    assert_books_balance()


def test_a_batch_gives_dear_calls_only_what_the_usd_leave():
    add("key-1", "own", provider="p1", rates=OWN)
    serve("key-1", "dear", dear=Rates(input=Decimal("0.02"), output=Decimal("0.04")))
    lent, dear = allocate(tokens=10_000), served("key-1")["dear"]
    asked = [
        keys.HoldRequest(
            lent.pk, 10, 400, f"call-{n}", price_id=dear.pk, token_cost=dear.token_cost_max
        )
        for n in range(3)
    ]
    first, second, third = keys.hold_many(asked, now=NOON)
    assert (first.tokens, second.tokens) == (400, 100)
    assert third.code == "allocation_exhausted"
    assert keys.hold_many([keys.HoldRequest(lent.pk, 1, 9, "own")], now=NOON)[0].code == third.code
    assert_books_balance()
