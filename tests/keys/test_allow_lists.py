"""Which models and providers agents and cost centres allow: lending, rotation, the admin."""

from decimal import Decimal

import pytest
from django.urls import reverse

from keys import services as keys
from keys.books.queries.allocations import decision_of
from keys.books.queries.previews import previews
from keys.identity.allow_lists import AllowList, AllowLists
from keys.models import Agent, CostCentre
from keys.patterns import pattern_mistake
from keys.refusals import NotAllowed, RotationRefused, WrongValue
from keys.supply.pricing import Rates
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import allocate, limit, make_people, rotate
from tests.moments import NOON

pytestmark = pytest.mark.django_db
RATES = Rates(input=Decimal("0.001"), output=Decimal("0.002"))


@pytest.fixture(autouse=True)
def people():
    """ada, bob and carol; project-1 is below research."""
    make_people()
    keys.create_cost_centre("project-1", parent="research", actor=ACTOR, now=NOON)


def add(slug, provider, model, *serves, priority=0):
    """A key that serves models."""
    terms = keys.KeyTerms(
        provider=provider,
        model=model,
        serves=serves,
        priority=priority,
        rates=None if provider in ("openai", "anthropic") else RATES,
    )
    key = keys.add_key(slug, terms=terms, secret="sk", actor=ACTOR, now=NOON)  # noqa: S106
    limit(key, 10_000_000)


@pytest.fixture
def fleet():
    """Keys of five providers, the best first."""
    add("openai-1", "openai", "gpt-4.1", "gpt-4o-mini", "text-embedding-3-small", priority=5)
    add("anthropic-1", "anthropic", "claude-sonnet-4-5", "claude-haiku-4-5", priority=4)
    add("openrouter-1", "openrouter", "anthropic/claude-haiku-4.5", priority=3)
    add("nvidia-1", "nvidia", "meta/llama-3.3-70b", priority=2)
    add("groq-1", "groq", "llama-3.3-70b", priority=1)


def allow(subject, *, models=(), providers=()):
    """Set an allow-list; `subject` as the audit names it."""
    kind, slug = subject.split(":")
    row = (Agent if kind == "agent" else CostCentre)(pk=slug)
    return keys.set_allow_list(
        row, models=models, providers=providers, reason="test", actor=ACTOR, now=NOON
    )


@pytest.mark.parametrize(
    ("patterns", "names", "is_allowed"),
    [
        (["gpt-4o-mini"], ["gpt-4o-mini"], True),
        (["gpt-4o-mini"], ["GPT-4o-Mini"], True),
        (["gpt-4o-mini"], ["gpt-4o-mini-2024-07-18"], False),
        (["claude-*"], ["claude-haiku-4-5-20251001"], True),
        (["claude-*"], ["anthropic/claude-haiku-4.5"], False),
        (["*claude-*"], ["anthropic/claude-haiku-4.5"], True),
        (["claude-haiku-4-5"], ["claude-haiku-4-5", "claude-haiku-4-5-20251001"], True),
        (["llama-3.3-70b"], ["llama-3x3-70b"], False),
        (["gpt-[45]*"], ["gpt-5-mini"], True),
        (["gpt-[!45]*"], ["gpt-5-mini"], False),
        (["gpt-?"], ["gpt-5"], True),
        (["a", "o3*"], ["o3-mini"], True),
        (["o3"], ["xo3", "o3x"], False),
    ],
)
def test_names_and_patterns_match_whole_names_regardless_of_case(patterns, names, is_allowed):
    lists = AllowLists((AllowList("agent:ada", tuple(patterns)),))
    assert lists.allow_model(*names) is is_allowed


@pytest.mark.parametrize(
    ("allowed", "chosen"),
    [
        ({"models": ["gpt-*"]}, "openai-1"),
        ({"models": ["Claude-*"]}, "anthropic-1"),
        ({"models": ["*/claude-haiku-4.5"]}, "openrouter-1"),
        ({"models": ["*llama*"]}, "nvidia-1"),
        ({"models": ["llama-*"]}, "groq-1"),
        ({"providers": ["groq", "nvidia"]}, "nvidia-1"),
        ({"providers": ["open*"]}, "openai-1"),
        ({"providers": ["open*"], "models": ["*claude*"]}, "openrouter-1"),
    ],
)
@pytest.mark.parametrize("subject", ["agent:ada", "centre:research", "centre:org"])
def test_an_allocation_gets_the_best_key_that_is_allowed(fleet, subject, allowed, chosen):
    allow(subject, **allowed)
    assert allocate().api_key_id == chosen
    assert_books_balance()


def test_all_of_the_agent_and_its_cost_centres_must_allow(fleet):
    allow("centre:org", providers=["anthropic", "openrouter", "groq"])
    allow("centre:research", models=["*haiku*", "llama*"])
    allow("agent:ada", providers=["openrouter", "groq"])
    lent = allocate()
    assert lent.api_key_id == "openrouter-1"
    assert allocate("carol").api_key_id == "anthropic-1"
    assert allocate(cost_centre="project-1").api_key_id == "openrouter-1"
    allow("centre:project-1", models=["llama*"])
    assert allocate(cost_centre="project-1").api_key_id == "groq-1"
    verdicts = {each["key_id"]: each for each in decision_of(lent)["candidates"]}
    assert verdicts["openai-1"]["verdict"] == "provider_not_allowed"
    assert "openai" in verdicts["openai-1"]["reason"]


def test_a_key_whose_own_model_is_not_allowed_is_lent_for_its_cheapest_that_is(fleet):
    allow("agent:ada", models=["claude-haiku*", "llama-3.3*"])
    lent = allocate()
    assert (lent.api_key_id, lent.price.model) == ("anthropic-1", "claude-haiku-4-5")
    assert lent.token_cost_max == lent.price.token_cost_max
    allow("agent:ada", models=["gpt-4o-mini", "text-embedding*"])
    assert allocate().price.model == "gpt-4o-mini"
    assert_books_balance()


@pytest.mark.parametrize(
    "terms",
    [
        {"model": "gpt-4.1"},
        {"models": ("gpt-4o-mini", "gpt-4.1")},
        {"models": ("gpt-4o-mini", "llama-3.3-70b")},
        {"model": "claude-haiku-4-5-20251001"},
    ],
)
def test_a_model_that_is_not_allowed_is_refused_with_whose_list_and_what_is_on_it(fleet, terms):
    allow("centre:research", models=["gpt-4o*"])
    allow("agent:ada", providers=["openai", "groq"])
    with pytest.raises(NotAllowed) as refusal:
        allocate(**terms)
    assert refusal.value.code == "not_allowed"
    assert "centre:research allows only the models gpt-4o*" in refusal.value.detail
    assert "agent:ada allows only the providers openai, groq" in refusal.value.detail
    assert refusal.value.facts()["allow_lists"][1] == {
        "scope": "centre:research",
        "models": ["gpt-4o*"],
        "providers": [],
    }
    [preview] = previews(
        agent="ada", requests=[keys.AllocationRequest(tokens=1000, **terms)], now=NOON
    ).values()
    assert preview.refusal.code == "not_allowed"


def test_a_version_is_allowed_by_its_own_name_or_that_of_its_model(fleet):
    allow("agent:ada", models=["claude-haiku-4-5"])
    assert allocate(model="claude-haiku-4-5-20251001").price.model == "claude-haiku-4-5"
    allow("agent:ada", models=["claude-haiku-4-5-2025*"])
    assert allocate(model="claude-haiku-4-5-20251001").price.model == "claude-haiku-4-5"
    with pytest.raises(NotAllowed):
        allocate(model="claude-haiku-4-5")


def test_an_alias_replaces_a_model_that_is_not_allowed(fleet):
    keys.set_model_alias("claude-*haiku*", model="gpt-4o-mini", actor=ACTOR, now=NOON)
    assert allocate(model="claude-haiku-4-5").named_models == ["claude-haiku-4-5"]
    allow("agent:ada", models=["gpt-*"])
    assert allocate(model="claude-haiku-4-5").named_models == ["gpt-4o-mini"]


def test_a_lack_of_room_is_still_a_lack_of_room(fleet):
    allow("agent:ada", models=["gpt-4o-mini"])
    with pytest.raises(Exception, match="No API key has room"):
        allocate(tokens=20_000_000)


def test_a_session_rotates_only_to_what_is_allowed(fleet):
    lent = allocate()
    allow("centre:org", providers=["openai", "anthropic"])
    with pytest.raises(RotationRefused, match="an allow-list excludes: groq"):
        rotate(lent, "groq-1")
    assert rotate(lent, "anthropic-1").to_key_id == "anthropic-1"
    allow("agent:ada", models=["gpt-4o-mini"])
    lent.refresh_from_db()
    assert rotate(lent, "openai-1").to_key_id == "openai-1"
    lent.refresh_from_db()
    assert lent.price.model == "gpt-4o-mini"
    assert_books_balance()


@pytest.mark.parametrize("wrong", ["", "two words", "a\n", "x" * 201, "gpt-[4", "gpt-[z-a]", "\0"])
def test_what_is_no_pattern_is_refused_and_nothing_changes(wrong):
    assert pattern_mistake(wrong)
    with pytest.raises(WrongValue) as refusal:
        allow("agent:ada", models=[wrong])
    assert refusal.value.field == "models"
    with pytest.raises(WrongValue):
        allow("centre:org", providers=["a"] + [f"p{n}" for n in range(100)])
    assert not AuditEntry.objects.filter(action="allow_list.set").exists()


@pytest.mark.parametrize("kind", ["agent", "costcentre"])
def test_an_allow_list_is_set_in_the_admin_with_a_reason(admin_client, kind):
    slug = {"agent": "ada", "costcentre": "research"}[kind]
    dialog = reverse(f"admin:keys_{kind}_set_allow_list", args=[slug])
    wrong = {"models": "gpt-[4", "providers": "", "reason": "x"}
    assert "Close the [" in admin_client.post(dialog, CONFIRMED | wrong).content.decode()
    wanted = {"models": "gpt-4o*\nClaude-*", "providers": "openai\nanthropic"}
    admin_client.post(dialog, CONFIRMED | wanted)
    assert not AuditEntry.objects.filter(action="allow_list.set").exists()
    admin_client.post(dialog, CONFIRMED | wanted | {"reason": "these are cheap"})
    entry = AuditEntry.objects.get(action="allow_list.set")
    assert entry.reason == "these are cheap"
    assert entry.after["allowed_models"] == ["gpt-4o*", "claude-*"]
    page = admin_client.get(reverse(f"admin:keys_{kind}_change", args=[slug])).content.decode()
    assert "gpt-4o*, claude-*" in page
    assert "openai\nanthropic" in admin_client.get(dialog).content.decode()
