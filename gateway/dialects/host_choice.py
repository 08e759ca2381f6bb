"""Routers that have hosts with different prices for one model: OpenRouter, Vercel's AI Gateway.

A client may choose among the hosts only where that cannot make a call dearer.
"""

from typing import Any

from gateway.refusals import CannotBeBounded

FIELDS = frozenset({"provider", "providerOptions"})

# Conditions that a host must meet, and the price as the order of hosts.
_CONDITIONS = (
    "allow_fallbacks",
    "data_collection",
    "enforce_distillable_text",
    "ignore",
    "max_price",
    "require_parameters",
    "zdr",
)
_SORT_BY_PRICE = ("price", {"by": "price"})


def refuse_choice(name: str, value: Any) -> None:
    """Refuse a choice of hosts whose price is not known. Refusals: CannotBeBounded."""
    preferences = {} if value is None else value
    if not isinstance(preferences, dict) or name != "provider":
        raise _refusal(name)
    for preference, setting in preferences.items():
        sorts_by_price = preference == "sort" and setting in _SORT_BY_PRICE
        if not (setting is None or preference in _CONDITIONS or sorts_by_price):
            raise _refusal(f"{name}.{preference}")


def _refusal(name: str) -> CannotBeBounded:
    return CannotBeBounded(
        f"`{name}` is not supported. It can choose a host with a higher price than the tokens are"
        ' held at. Leave it out, or use `provider` with `"sort": "price"` or'
        f" {', '.join(f'`{each}`' for each in _CONDITIONS)}.",
        field=name,
    )
