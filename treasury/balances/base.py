"""What a format of balances is, and how figures are read from JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from treasury.vendor_calls import Unreadable

_DIGITS_MAX = 30


class Figure(NamedTuple):
    """A balance in one currency. `granted`: what of it was given and expires."""

    currency: str
    amount: Decimal
    granted: Decimal = Decimal(0)


class ListedReload(NamedTuple):
    """A reload that the provider has made by itself and lists. `name`: how it names it."""

    name: str
    at: datetime
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class BalanceFormat:
    """How a provider tells the balance of its credit.

    `base_url`: the usual base URL; another may be entered. `path` is added to it, with the id of
    the team in place of `{team}`. `takes_api_key`: whether the secret of an API key that agents use
    is enough; otherwise a key for administrators is needed. Secrets are sent as a bearer token.
    `reloads`: how the answer lists what the provider has reloaded by itself; None: it does not.
    """

    slug: str
    name: str
    base_url: str
    path: str
    takes_api_key: bool
    read: Callable[[Any], list[Figure]]
    reloads: Callable[[Any], list[ListedReload]] | None = None

    @property
    def needs_team(self) -> bool:
        """Whether the address has the id of a team in it."""
        return "{team}" in self.path


def member(answer: Any, *names: str) -> Any:
    """A member of nested objects. Raises Unreadable."""
    for name in names:
        if not isinstance(answer, dict) or name not in answer:
            raise Unreadable(f"The answer has no {'.'.join(names)}.")
        answer = answer[name]
    return answer


def amount(value: Any) -> Decimal:
    """An exact amount from a number or a text of digits. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unreadable(f"{str(value)[:40]!r} is no amount.")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise Unreadable(f"{str(value)[:40]!r} is no amount.") from None
    if not found.is_finite() or abs(found.adjusted()) > _DIGITS_MAX:
        raise Unreadable(f"{str(value)[:40]!r} is no amount.")
    return found
