"""API keys and their prices."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from keys import services as keys
from keys.books.queries.candidates import candidates
from keys.models import ApiKey, Price, Provider
from keys.refusals import AlreadyExists, ApiKeyNotFound, ProviderNotFound, WrongValue
from keys.supply.pricing import RATE_NAMES, Rates, Tier, default_rates
from security.models import AuditEntry
from security.services import unseal_from
from tests.actors import ACTOR, OLGA
from tests.books import assert_books_balance
from tests.keys.builders import FREE, PAID, add_key, allocate, hold, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db

CHEAP = Rates(input=Decimal("0.001"), output=Decimal("0.001"))
ZERO = Decimal(0)


def add(slug="openai-1", *, secret="sk-1", **terms):  # noqa: S107
    """A key of a real model, at the price of the price book."""
    wanted = {"provider": "openai", "model": "gpt-4o-mini"} | terms
    return keys.add_key(slug, terms=keys.KeyTerms(**wanted), secret=secret, actor=ACTOR, now=NOON)


def test_a_key_costs_what_the_price_book_has_unless_it_gets_rates(people):
    known = add()
    assert known.price.input > 0
    assert known.price.source.startswith("genai-prices")
    assert add("openai-2").price == known.price
    assert add("openai-3", rates=CHEAP).price.source == "test"
    assert Provider.objects.count() == 1


def test_a_secret_is_sealed_and_can_be_replaced(people):
    add()
    with transaction.atomic():
        keys.replace_secret("openai-1", secret=" sk-2\n", actor=ACTOR, reason="leaked", now=NOON)
    assert unseal_from(ApiKey.objects.get(), "secret") == "sk-2"
    entry = AuditEntry.objects.about("key:openai-1").latest("id")
    assert (entry.action, entry.reason, entry.after) == (
        "key.replace_secret",
        "leaked",
        {"secret": "replaced"},
    )


def test_a_new_price_counts_from_now_on_and_changes_nothing_that_was_lent(people):
    add_key("openai-1", rates=PAID)
    before = allocate()
    charge = hold(before, 100)
    keys.set_price("openai-1", rates=CHEAP, actor=ACTOR, reason="sale", now=NOON)
    after = allocate("bob")
    settle(charge, 100)
    report(before, 100)
    report(after, 100)
    costs = [allocation.charges.latest("id").cost for allocation in (before, after)]
    assert costs == [Decimal("0.0003"), Decimal("0.0001")]
    assert_books_balance()


@pytest.mark.parametrize("name", [*RATE_NAMES, "tier"])
def test_the_candidates_are_priced_at_the_dearest_rate_as_their_allocations_are(people, name):
    dear = {"input": Decimal("0.003"), "output": Decimal("0.003"), name: Decimal("0.007")}
    if name == "tier":
        dear = {
            "input": ZERO,
            "output": ZERO,
            "tiers": (Tier(10**9, Rates(input=dear["tier"], output=ZERO)),),
        }
    api_key = add_key("openai-1", rates=Rates(**dear))
    assert api_key.price.token_cost_max == Decimal("0.000007")
    (candidate,) = candidates(payers_usd=Decimal(1), now=NOON)
    assert candidate.payable == int(1 / api_key.price.token_cost_max)
    lent = allocate(tokens=1_000)
    assert (lent.allocated_cost, lent.token_cost_max) == (Decimal("0.007"), Decimal("0.000007"))
    assert hold(lent, 1_000).held_cost == Decimal("0.007")


def test_a_price_book_line_keeps_its_tiers_and_is_used_again_while_it_says_the_same(people):
    first = add("google-1", provider="google", model="gemini-2.5-pro").price
    assert add("google-2", provider="google", model="gemini-2.5-pro").price == first
    stored = Price.objects.get()
    assert stored.rates == default_rates("google", "gemini-2.5-pro", at=NOON)
    assert (stored.tier_max, len(stored.tiers)) == (Decimal("0.015"), 1)
    bare = Rates(input=stored.input, output=stored.output)
    older = Price.objects.create(
        provider=stored.provider,
        model="gemini-2.5-flash",
        source=stored.source,
        starts_at=NOON,
        **dict(zip(RATE_NAMES, bare.all, strict=True)),
    )
    assert add("google-3", provider="google", model="gemini-2.5-flash").price != older


def test_a_price_is_never_changed(people):
    add()
    with pytest.raises(DatabaseError), transaction.atomic():
        Price.objects.update(input=0)
    with pytest.raises(DatabaseError), transaction.atomic():
        ApiKey.objects.all().delete()
        Price.objects.all().delete()


def test_what_can_be_changed_of_a_key_is_changed_with_history(people):
    add_key("nvidia-1", priority=1)
    change = {"actor": ACTOR, "reason": "faster", "now": NOON}
    for _ in range(2):
        keys.change_key("nvidia-1", changes={"priority": 7, "tokens_per_minute": 60}, **change)
    assert ApiKey.objects.get().priority == 7
    (entry,) = AuditEntry.objects.about("key:nvidia-1").filter(reason="faster")
    assert entry.before == {"priority": 1, "tokens_per_minute": None}
    with pytest.raises(WrongValue):
        keys.change_key("nvidia-1", changes={"status": "active"}, **change)
    with pytest.raises(ApiKeyNotFound):
        keys.change_key("nobody", changes={"priority": 1}, **change)


@pytest.mark.parametrize(
    "terms", [{"secret": " "}, {"slug": "No"}, {"provider": "No"}, {"model": "none-such"}]
)
def test_what_cannot_be_is_refused(people, terms):
    with pytest.raises(WrongValue):
        add(**terms)
    assert not ApiKey.objects.exists()


def test_names_are_taken_once_and_unknown_keys_are_refused(people):
    add(rates=FREE)
    with pytest.raises(AlreadyExists):
        add(rates=FREE)
    with pytest.raises(ApiKeyNotFound):
        keys.set_price("nobody", rates=CHEAP, actor=ACTOR, reason="test", now=NOON)
    with pytest.raises(ApiKeyNotFound):
        keys.replace_secret("nobody", secret="x", actor=ACTOR, reason="test", now=NOON)


def test_where_the_secrets_of_a_provider_go_changes_with_a_reason():
    keys.add_provider("groq", name="Groq", actor=OLGA, now=NOON)
    moved = {"name": "Groq", "base_url": "https://eu.groq.example/v1", "wire_format": ""}
    keys.change_provider("groq", **moved, actor=OLGA, reason="moved to the EU", now=NOON)
    keys.change_provider("groq", **moved, actor=OLGA, reason="again", now=NOON)
    change, added = AuditEntry.objects.about("provider:groq").order_by("-id")
    assert (change.actor, change.reason) == ("olga", "moved to the EU")
    usual = "https://api.groq.com/openai/v1"
    assert (change.before["base_url"], change.after["base_url"]) == (usual, moved["base_url"])
    assert (added.action, added.after["name"]) == ("provider.create", "Groq")
    with pytest.raises(AlreadyExists):
        keys.add_provider("groq", actor=OLGA, now=NOON)
    with pytest.raises(ProviderNotFound):
        keys.change_provider("nobody", **moved, actor=OLGA, reason="test", now=NOON)


@pytest.mark.parametrize("secret", ["", " \n", "sk-1\nX-Evil: 1", "sk-\u00e9", "sk\x00"])
def test_a_secret_that_no_header_can_carry_is_refused(secret):
    with pytest.raises(WrongValue):
        add(secret=secret)


@pytest.mark.parametrize(
    ("endpoint", "base_url"),
    [
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/responses/", "https://api.openai.com/v1"),
        ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
        ("https://api.mistral.ai/v1/embeddings", "https://api.mistral.ai/v1"),
        ("https://api.deepseek.com/beta/completions", "https://api.deepseek.com/beta"),
        ("https://openrouter.ai/api/v1/Chat/Completions", "https://openrouter.ai/api/v1"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        (
            "https://a.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=1",
            "https://a.openai.azure.com/openai/v1",
        ),
        ("http://127.0.0.1:1234/v1/models", "http://127.0.0.1:1234/v1"),
        ("https://llm.example/v1?api-version=1", "https://llm.example/v1"),
    ],
)
def test_an_endpoint_is_refused_as_base_url_with_the_right_one(people, endpoint, base_url):
    add()
    attempts = [
        lambda: add("openai-2", base_url=endpoint),
        lambda: keys.change_key(
            "openai-1", changes={"base_url": endpoint}, actor=ACTOR, reason="r", now=NOON
        ),
        lambda: keys.add_provider("acme", base_url=endpoint, actor=ACTOR, now=NOON),
        lambda: keys.change_provider(
            "openai",
            name="OpenAI",
            base_url=endpoint,
            wire_format="openai",
            actor=ACTOR,
            reason="r",
            now=NOON,
        ),
    ]
    for attempt in attempts:
        with pytest.raises(WrongValue) as refusal, transaction.atomic():
            attempt()
        assert refusal.value.field == "base_url"
        assert refusal.value.detail.endswith(f" {base_url}")
    assert add("openai-3", base_url=base_url).base_url == base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "https://api.openai.com",
        "https://api.groq.com/openai/v1/",
        "https://x.example/messages/v1",
    ],
)
def test_a_base_url_is_taken_as_it_is(people, base_url):
    assert add(base_url=base_url).base_url == base_url


@pytest.mark.parametrize("base_url", ["api.acme.example/v1", " a.example:8443/v1", "a.example"])
def test_https_is_assumed_for_an_address_without_a_scheme(people, base_url):
    """O44."""
    right = f"https://{base_url.strip()}"
    assert add(base_url=base_url).base_url == right
    keys.change_key(
        "openai-1", changes={"base_url": base_url}, actor=ACTOR, reason="r", now=NOON, secret="s2"
    )
    assert ApiKey.objects.get(pk="openai-1").base_url == right
    assert keys.add_provider("acme", base_url=base_url, actor=ACTOR, now=NOON).base_url == right
    changed = keys.change_provider(
        "openai",
        name="OpenAI",
        base_url=base_url,
        wire_format="openai",
        actor=ACTOR,
        reason="r",
        now=NOON,
    )
    assert changed.base_url == right
