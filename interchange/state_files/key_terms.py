"""The entries of `api-keys.json` as the terms of API keys. Nothing is saved here."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from interchange.state_files.storable import storable
from keys import services as keys
from keys.supply.pricing import Rates

_NANO = Decimal("1e-9")


def key_terms(entry: dict[str, Any]) -> keys.KeyTerms:
    """The terms of the API key of an entry, without its secret."""
    return keys.KeyTerms(
        is_new_provider=True,
        provider=entry["provider"],
        model=storable(entry["model"]),
        priority=int(entry.get("priority", 0)),
        base_url=storable(entry.get("baseUrl") or ""),
        rates=_rates(entry),
        requests_per_minute=entry.get("requestsPerMinute"),
        tokens_per_minute=entry.get("tokensPerMinute"),
        serves=tuple(map(storable, entry.get("serves") or ())),
        passed_fields=tuple(map(storable, entry.get("passedFields") or ())),
    )


def secret(entry: dict[str, Any]) -> str | None:
    """The secret of the API key of an entry; None if the file has none, or a blank one."""
    return (entry.get("apiKey") or "").strip() or None


def usd(number: float) -> Decimal:
    """The decimal number in the file, rounded to 9 places."""
    return Decimal(str(number)).quantize(_NANO, ROUND_HALF_UP)


def _rates(entry: dict[str, Any]) -> Rates | None:
    """US dollars per 1,000 tokens; None when the file leaves them to the price book."""
    cost = entry.get("costPer1kTokens")
    if cost is None:
        return None
    if not isinstance(cost, dict):
        cost = {"input": cost, "output": cost}
    return Rates(
        input=usd(cost["input"]),
        output=usd(cost["output"]),
        cached=usd(cost["cached"]) if "cached" in cost else None,
        cache_write=usd(cost["cacheWrite"]) if "cacheWrite" in cost else None,
    )
