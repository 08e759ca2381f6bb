"""The rows of the benchmark: many sessions with large budgets, on keys of the upstream."""

from django.db import connection

from bench import rows
from keys import services as keys
from keys.identity.queries.credentials import session_token
from keys.models import CostCentre

SESSIONS = 64
# A model with a public tokenizer: its tokens are counted, as for most calls.
MODEL = "gpt-4o-mini"
_KEYS = 4
_PLENTY = 10**11
_CHARGES = 100_000
# Without past charges PostgreSQL would plan for empty tables, until it analyzes them again.
_PAST = """
INSERT INTO keys_charge (
    allocation_id, api_key_id, price_id, model, idempotency_key, route, status, basis, held_tokens,
    held_cost, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    tokens, cost, overrun, created_at, expires_at, settled_at)
SELECT a.id, a.api_key_id, a.price_id, '', gen_random_uuid()::text, '', 'settled', 'provider', 200,
       0, 120, 0, 0, 40, 0, 160, 0.001, false, past.at, past.at, past.at
  FROM keys_allocation a, generate_series(1, %s / (SELECT count(*) FROM keys_allocation)),
       LATERAL (SELECT now() - interval '1 day') AS past(at)
"""


def make() -> None:
    """Tables, agents, and a budget in USD for the whole organisation besides their own limits."""
    rows.make()
    rows.limit(CostCentre.objects.get(pk="org"), "month", unit="usd")


def lend(upstream: str, *, wire_format: str = "openai") -> list[str]:
    """Session tokens of as many agents, on keys of a provider of their own at this address."""
    provider = f"{wire_format}-at-{upstream.split('/')[3]}"
    keys.add_provider(
        provider, base_url=upstream, wire_format=wire_format, actor=rows.ACTOR, now=rows.now()
    )
    for number in range(_KEYS):
        slug = f"{provider}-{number}"
        api_key = rows.add_key(slug, provider=provider, model=MODEL)
        for period in ("day", "month"):
            rows.limit(api_key, period)
    terms = {"provider": provider, "wire_format": wire_format}
    lent = [rows.lend(f"agent-{n}", tokens=_PLENTY, **terms) for n in range(SESSIONS)]
    return [session_token(one.session_id) for one in lent]


def remember() -> None:
    """Insert past charges, as a Butler that has run for a while has them."""
    with connection.cursor() as cursor:
        cursor.execute(_PAST, [_CHARGES])
        cursor.execute("VACUUM ANALYZE")
