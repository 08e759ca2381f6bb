"""Butler's totals are the provider's own, to the token and to the ninth decimal.

`BUTLER_TRUTH_CALLS=10000` is the full size.
"""

import asyncio
import os
import random
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import aiohttp
import pytest
from django.utils import timezone

from keys import services as keys
from keys.books.queries.usage import UsageFilter, usage_groups, usage_totals
from keys.identity.queries.credentials import session_token
from keys.models import Agent, Charge
from keys.supply.pricing import Rates, Variant
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.flows.processes import Processes
from tests.gateway.sandbox import running_sandbox
from tests.keys.builders import add_key, allocate, make_people

CALLS = int(os.environ.get("BUTLER_TRUTH_CALLS", "800"))
AT_ONCE = 24
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
EMBEDDINGS, COUNT = "/v1/embeddings", "/v1/messages/count_tokens"
# Their answers have no id by which a charge finds its row in the log; only carol asks them.
NAMELESS = (EMBEDDINGS, COUNT)
# A row of the sandbox's log: what it calls the tokens, and what a charge does.
COLUMNS = {
    "input": "input_tokens",
    "cached": "cached_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
    "audio_in": "audio_input_tokens",
    "audio_out": "audio_output_tokens",
    "image_in": "image_input_tokens",
    "image_out": "image_output_tokens",
    "cache_write_1h": "cache_write_long_tokens",
}
# The models of every key: its own, a small one, and one for embeddings.
MODELS = {"model-1": Decimal(1), "small": Decimal("0.1"), "text-embedding-x": Decimal("0.01")}
# What a call may name: "any" and what no key serves is the key's own model.
ASKED = {"any": "model-1", "model-1": "model-1", "small": "small", "m": "model-1"}
# US dollars per 1,000 tokens, no two alike, so that a rate in the wrong place shows.
BASE = {
    f"key-{number}": {
        "input": Decimal("0.0025") + Decimal(number) / 10_000,
        "cached": Decimal("0.000250001"),
        "cache_write": Decimal("0.003125007"),
        "cache_write_long": Decimal("0.005"),
        "output": Decimal("0.015000003"),
        "image_input": Decimal("0.001700009"),
        "image_output": Decimal("0.030000011"),
    }
    for number in range(4)
}
PRICES = {
    (key, model): {kind: (rate * factor).quantize(Decimal("1e-9")) for kind, rate in rates.items()}
    for key, rates in BASE.items()
    for model, factor in MODELS.items()
}
# The rates of another service tier, on every key; a request served as flex costs half.
PRIORITY = {
    "input": Decimal("0.005000001"),
    "cached": Decimal("0.0007"),
    "cache_write": Decimal("0.006100003"),
    "cache_write_long": Decimal("0.0093"),
    "output": Decimal("0.031000007"),
    "image_input": Decimal("0.0047"),
    "image_output": Decimal("0.061"),
}


@pytest.fixture
def sessions(transactional_db):
    """Four keys with three models, three agents with three sessions each; their tokens."""
    make_people()
    for slug in BASE:
        tiers = (Variant(Rates(**PRIORITY), "priority"),)
        rates = {model: Rates(**PRICES[slug, model], variants=tiers) for model in MODELS}
        own = rates.pop("model-1")
        add_key(slug, per_day=None, rates=own, served_rates=rates, sandbox=True)
    terms = {"tokens": 10_000_000, "auto_rotate": False, "ttl_seconds": 86_400}
    lent = [
        allocate(agent, now=timezone.now(), **terms)
        for agent in Agent.objects.order_by("pk").values_list("pk", flat=True)
        for _ in range(3)
    ]
    for number, allocation in enumerate(lent):
        if (key := f"key-{number % len(BASE)}") != allocation.api_key_id:
            _rotate(allocation, key)
    return [session_token(allocation.session_id) for allocation in lent]


@pytest.mark.slow
@pytest.mark.xdist_group("races")
def test_butlers_totals_are_the_providers_own(sessions, monkeypatch):
    with running_sandbox() as sandbox:
        monkeypatch.setenv("BUTLER_SANDBOX_URL", f"{sandbox.url}/v1")
        processes = Processes()
        try:
            processes.start()
            statuses = asyncio.run(_calls(processes.url, sessions))
        finally:
            processes.kill_all()
        billed = [row for row in sandbox.log() if row["status"] == 200]
    assert statuses[200] == len(billed) > CALLS // 2
    assert set(statuses) == {200, 400, 500}
    charges = {charge.provider_request_id: charge for charge in _settled_charges()}
    named = [row for row in billed if row["route"] not in NAMELESS]
    assert len(charges) == len(named)
    for row in named:
        assert_is(charges[row["id"]], row)
    assert_groups_are(billed, charges)
    assert_books_balance()


def assert_is(charge: Charge, row: dict) -> None:
    """A charge is what the provider bills, kind by kind, at the price of its key."""
    assert {name: getattr(charge, column) for name, column in COLUMNS.items()} == {
        name: row[name] for name in COLUMNS
    }
    assert charge.cache_write_tokens == row["cache_write"] + row["cache_write_1h"]
    assert (charge.api_key_id, charge.basis) == (row["key"], "provider")
    assert charge.service_tier == (row["tier"] or "standard")
    assert charge.cost == cost_of(row)
    assert charge.model == row["model"] == ASKED.get(charge.asked_model, row["model"])


def assert_groups_are(billed: list[dict], charges: dict[str, Charge]) -> None:
    """The totals that pages and API show are the sums of the provider's log."""
    assert usage_totals(UsageFilter())["cost"] == sum(map(cost_of, billed))
    for by in ("key", "agent", "cost_centre", "day"):
        tokens, cost = Counter(), Counter()
        for row in billed:
            group = _group(row, charges.get(row["id"]), by)
            tokens[group] += row["input"] + row["output"]
            cost[group] += cost_of(row)
        found = usage_groups(UsageFilter(), by=by, after=None, most=100)
        assert {row["group"]: row["tokens"] for row in found} == tokens
        assert {row["group"]: row["cost"] for row in found} == cost


def cost_of(row: dict) -> Decimal:
    """What the price list says of one row of the log, computed another way than Butler does."""
    rates = PRIORITY if row["tier"] == "priority" else PRICES[row["key"], row["model"]]
    plain = row["input"] - row["cached"] - row["cache_write"] - row["cache_write_1h"]
    total = (
        plain * rates["input"]
        + row["cached"] * rates["cached"]
        + row["cache_write"] * rates["cache_write"]
        + row["cache_write_1h"] * rates["cache_write_long"]
        + row["output"] * rates["output"]
        + (rates["image_output"] - rates["output"]) * row["image_out"]
        # In the log, no part of the input is in two kinds at once.
        + (rates["image_input"] - rates["input"]) * row["image_in"]
    )
    if row["tier"] == "flex":
        total /= 2
    return (total / 1000).quantize(Decimal("1e-9"), ROUND_HALF_UP)


async def _calls(url: str, tokens: list[str]) -> Counter:
    """Make them all; the statuses."""
    dice, statuses, turn = random.Random(3), Counter(), asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(url) as client:

        async def call(route: str, body: dict, token: str) -> None:
            async with (
                turn,
                client.post(
                    route, json=body, headers={"Authorization": f"Bearer {token}"}
                ) as answer,
            ):
                await answer.read()
                statuses[answer.status] += 1

        await asyncio.gather(*(call(*_call(dice, tokens)) for _ in range(CALLS)))
    return statuses


def _call(dice: random.Random, tokens: list[str]) -> tuple[str, dict, str]:
    """A route, a body, and the session that asks."""
    route = dice.choice([CHAT, CHAT, RESPONSES, MESSAGES, MESSAGES, EMBEDDINGS, COUNT])
    token = dice.choice(tokens[-3:] if route in NAMELESS else tokens)
    return route, _body(dice, route), token


def _body(dice: random.Random, route: str) -> dict:
    if route == EMBEDDINGS:
        model = dice.choice(["text-embedding-x", "any"])
        return {"model": model, "input": ["word " * dice.randrange(1, 50)] * 2}
    messages = [{"role": "user", "content": f"Say something. {_directive(dice, route)}"}]
    body = {
        "model": dice.choice(list(ASKED)),
        "input" if route == RESPONSES else "messages": messages,
    }
    if route == COUNT:
        return body
    body["max_output_tokens" if route == RESPONSES else "max_tokens"] = 6000
    if dice.random() < 0.5:
        body["stream"] = True
    return body


def _directive(dice: random.Random, route: str) -> str:
    """The directive with the usage that the sandbox reports, or with a failure."""
    if dice.random() < 0.05:
        return f"[[sandbox status={dice.choice([400, 500])}]]"
    counts = {"output": dice.randrange(60, 140), "reasoning": dice.randrange(20)}
    kinds = {"cached": dice.randrange(500), "cache_write": dice.randrange(500)}
    if route == MESSAGES:
        kinds["cache_write_1h"] = dice.randrange(500)
    if route == CHAT:
        kinds = {"cached": dice.randrange(500), "audio_in": dice.randrange(100)}
        kinds["image_in"] = dice.randrange(300)
        counts |= {"audio_out": dice.randrange(20), "image_out": dice.randrange(20)}
    counts |= kinds | {"input": sum(kinds.values()) + dice.randrange(1, 1000)}
    tier = dice.choice(["", "tier=flex ", "tier=priority "])
    return f"[[sandbox {tier}{' '.join(f'{name}={count}' for name, count in counts.items())}]]"


def _settled_charges():
    return (
        Charge.objects.filter(status="settled")
        .exclude(provider_request_id="")
        .select_related("allocation")
    )


def _group(row: dict, charge: Charge | None, by: str) -> str:
    if by == "key":
        return row["key"]
    if by == "day":
        return charge.settled_at.date().isoformat() if charge else row["at"][:10]
    if charge is None:
        return {"agent": "carol", "cost_centre": "sales"}[by]
    return getattr(charge.allocation, f"{by}_id")


def _rotate(allocation, key: str) -> None:
    keys.rotate(allocation=allocation, key=key, reason="test", actor=ACTOR, now=timezone.now())
