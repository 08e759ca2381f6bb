"""Write down what calls really used: settle, release, expire, or record what nobody held."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from psycopg.types.json import Jsonb

from keys import books, pricing, statements
from keys.models import Charge, Price
from keys.queries.prices import price_of
from keys.refusals import ChargeEnded, WrongValue
from keys.services import consequences

_STATES = Charge.State


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one call. Cached and cache-write tokens are part of input, reasoning of output.

    `total` alone is enough when the parts are unknown; it is then priced at the highest rate.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    total: int | None = None

    def check(self) -> None:
        """Refusals: WrongValue."""
        if min(self.as_columns().values()) < 0 or self.tokens > 10**12:
            raise WrongValue("Token counts are from 0 to 1,000,000,000,000.", field="tokens")
        if self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise WrongValue("Cached tokens are part of input_tokens.", field="cached_tokens")
        if self.reasoning_tokens > self.output_tokens:
            raise WrongValue(
                "Reasoning tokens are part of output_tokens.", field="reasoning_tokens"
            )
        if self.total is not None and self.total < self.input_tokens + self.output_tokens:
            raise WrongValue("The total is less than input and output.", field="total")

    @property
    def tokens(self) -> int:
        """What counts against the allocation."""
        return self.input_tokens + self.output_tokens if self.total is None else self.total

    def cost(self, price: Price) -> Decimal:
        """In USD, rounded once."""
        parts = self.as_columns()
        rest = parts.pop("tokens") - self.input_tokens - self.output_tokens
        return pricing.cost(price.rates, **parts) + pricing.bound(price.rates, rest)

    def as_columns(self) -> dict[str, int]:
        """The columns of a charge."""
        return {
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "tokens": self.tokens,
        }


NOTHING = Usage()


class Ending(NamedTuple):
    """How one held charge ends. `usage` counts only for `settled`."""

    charge: Charge
    state: str
    usage: Usage = NOTHING
    basis: str = Charge.Basis.PROVIDER


def settle(
    *, charge: Charge, usage: Usage, basis: str = Charge.Basis.PROVIDER, now: datetime
) -> int:
    """Pay what a held call really used and give back the rest; 1, or 0 when it was settled before.

    More than was held is recorded in full. A charge that expired meanwhile is settled all the same.
    Refusals: WrongValue; ChargeEnded when it was released, or settled with other usage.
    """
    settled = settle_many([Ending(charge, _STATES.SETTLED, usage, basis)], now=now)
    if not settled:
        _check_same(Charge.objects.get(pk=charge.pk), usage)
    return settled


def _check_same(charge: Charge, usage: Usage) -> None:
    columns = usage.as_columns()
    if charge.state != _STATES.SETTLED or columns != {n: getattr(charge, n) for n in columns}:
        raise ChargeEnded(
            f"The charge was {charge.state} before, in another way.", charge_id=charge.pk
        )


def release(*, charge: Charge, now: datetime) -> int:
    """Give a hold back: nothing was used. 1, or 0 when the charge had ended before."""
    return settle_many([Ending(charge, _STATES.RELEASED)], now=now)


def settle_many(endings: Iterable[Ending], *, now: datetime) -> int:
    """End a batch of held charges in one transaction; how many ended now. Refusals: WrongValue."""
    endings = list(endings)
    for ending in endings:
        ending.usage.check()
    if not endings:
        return 0
    paid = _end(endings, now=now)
    consequences.rotate_crossed(paid, now=now)
    return sum(len(row.charges) for row in paid)


@books.in_books
def _end(endings: list[Ending], *, now: datetime) -> list[consequences.Paid]:
    locked = books.lock(
        allocations={ending.charge.allocation_id for ending in endings},
        scopes={f"key:{ending.charge.api_key_id}" for ending in endings},
        now=now,
    )
    found = books.rows(
        statements.END, endings=Jsonb([_as_json(ending) for ending in endings]), at=locked.at
    )
    return consequences.follow([consequences.Paid(*row) for row in found], at=locked.at)


def _as_json(ending: Ending) -> dict[str, object]:
    cost = ending.usage.cost(price_of(ending.charge.price_id))
    return {
        "id": ending.charge.pk,
        "state": ending.state,
        "basis": ending.basis,
        "cost": str(cost),
        **ending.usage.as_columns(),
    }
