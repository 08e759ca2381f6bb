"""Monthly limits of spending that a provider keeps itself, where it has an API for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from treasury.balances.base import amount, member
from treasury.vendor_calls import Unreadable


class Cap(NamedTuple):
    """The limit of a month in USD; None if there is none. `is_enforced`: by the provider's word."""

    amount: Decimal | None
    is_enforced: bool


@dataclass(frozen=True, kw_only=True)
class CapFormat:
    """How a provider tells and takes the limit of the whole organisation, with an admin key.

    `body`: the request that sets it, from whole cents.
    """

    slug: str
    name: str
    base_url: str
    path: str
    headers: Callable[[str], dict[str, str]]
    read: Callable[[Any], Cap]
    body: Callable[[int], dict[str, Any]]


def _openai(answer: Any) -> Cap:
    if member(answer, "currency") != "USD" or member(answer, "interval") != "month":
        raise Unreadable("The limit is not of a month in USD.")
    enforced = member(answer, "enforcement", "status") == "enforcing"
    return Cap(amount(member(answer, "threshold_amount")) / 100, enforced)


def _anthropic(answer: Any) -> Cap:
    """The one of the organisation by month, among those of workspaces and persons."""
    limits = member(answer, "data")
    if not isinstance(limits, list):
        raise Unreadable("The answer has no list of limits.")
    for limit in limits:
        if member(limit, "scope", "type") != "organization" or limit.get("period") != "monthly":
            continue
        if str(member(limit, "currency")).upper() != "USD":
            raise Unreadable("The limit is not in USD.")
        cents = limit.get("amount")
        enforced = limit.get("is_enabled") is True
        return Cap(None if cents is None else amount(cents) / 100, enforced)
    return Cap(None, is_enforced=False)


_ALL = (
    CapFormat(
        slug="openai",
        name="OpenAI, with an admin key (sk-admin-…)",
        base_url="https://api.openai.com/v1",
        path="/organization/spend_limit",
        headers=lambda secret: {"Authorization": f"Bearer {secret}"},
        read=_openai,
        body=lambda cents: {"currency": "USD", "interval": "month", "threshold_amount": cents},
    ),
    CapFormat(
        slug="anthropic",
        name="Anthropic, with an Admin key (sk-ant-admin…)",
        base_url="https://api.anthropic.com/v1",
        path="/organizations/spend_limits",
        headers=lambda secret: {
            "x-api-key": secret,
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "spend-limit-reads-2026-09-26",
        },
        read=_anthropic,
        body=lambda cents: {
            "amount": str(cents),
            "scope": {"type": "organization"},
            "period": "monthly",
        },
    ),
)
CAP_FORMATS: Mapping[str, CapFormat] = MappingProxyType({each.slug: each for each in _ALL})
