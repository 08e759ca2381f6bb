"""Who spends: many sessions with plenty, on keys that point to the upstream."""

from bench import rows
from keys.models import CostCentre
from keys.queries.credentials import session_token

SESSIONS = 64
# Its tokens are really counted, as they are for most calls.
MODEL = "gpt-4o-mini"
_KEYS = 4
_PLENTY = 10**11


def make() -> None:
    """Tables, agents, and a budget in USD for the whole organisation besides their own limits."""
    rows.make()
    rows.limit(CostCentre.objects.get(pk="org"), "month", unit="usd")


def lend(upstream: str, *, wire_format: str = "openai") -> list[str]:
    """Session tokens of as many agents, on keys of a provider of their own at this address."""
    provider = f"{wire_format}-at-{upstream.split('/')[3]}"
    for number in range(_KEYS):
        slug = f"{provider}-{number}"
        api_key = rows.add_key(slug, provider=provider, model=MODEL, base_url=upstream)
        for period in ("day", "month"):
            rows.limit(api_key, period)
    wish = {"provider": provider, "wire_format": wire_format}
    lent = [rows.lend(f"agent-{n}", tokens=_PLENTY, **wish) for n in range(SESSIONS)]
    return [session_token(one.session_id) for one in lent]
