"""End held charges: settle them at what the calls really used, release them or expire them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import msgspec
from psycopg.types.json import Jsonb

from keys.books import sql, transactions
from keys.books.services import after_settlement
from keys.books.sql.spend import Spent
from keys.models import Allocation, Charge, Price
from keys.refusals import ChargeEnded, WrongValue
from keys.supply import pricing
from keys.supply.queries.prices import price_of

_STATUSES = Charge.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and web searches of one call. Some counts are part of others: see `Charge`.

    `total` alone is enough when the parts are unknown; it is then priced at the highest rate.
    `search_kind`: how the provider searched, where that has a price of its own (`Rates.variants`).
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_long_tokens: int = 0
    audio_input_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    web_searches: int = 0
    search_kind: str = ""
    total: int | None = None

    def check(self) -> None:
        """Refusals: WrongValue."""
        if min(self.as_columns().values()) < 0 or self.tokens > 10**12:
            raise WrongValue("Use token counts from 0 to 1,000,000,000,000.", field="tokens")
        if self.web_searches > _SEARCHES_MAX:
            raise WrongValue(
                f"Use a number of searches from 0 to {_SEARCHES_MAX:,}.", field="web_searches"
            )
        for parts, whole in _PARTS:
            if sum(getattr(self, part) for part in parts) > getattr(self, whole):
                names = " and ".join(parts)
                higher = names if len(parts) == 1 else "the sum"
                raise WrongValue(f"Include {names} in {whole}: {higher} is higher.", field=parts[0])
        if self.total is not None and self.total < self.input_tokens + self.output_tokens:
            raise WrongValue(
                "Use a total of at least input_tokens plus output_tokens.", field="total"
            )

    @property
    def tokens(self) -> int:
        """The tokens that count against the allocation."""
        return self.input_tokens + self.output_tokens if self.total is None else self.total

    def cost(self, price: Price, *, service_tier: str = "", at: datetime) -> Decimal:
        """The cost at `price`, in USD, rounded once to 9 places: of the tokens, the searches and,
        if any tokens were used, the request.

        `service_tier`: as the provider says it was served, if it does. `at`: when it was completed.
        """
        rates = price.served_rates(service_tier=service_tier, at=at, search_kind=self.search_kind)
        parts = self.as_columns()
        tokens = parts.pop("tokens")
        unknown = tokens - self.input_tokens - self.output_tokens
        return pricing.cost(rates, **parts, unknown_tokens=unknown, requests=1 if tokens else 0)

    def as_columns(self) -> dict[str, int]:
        """The counts as columns of a charge."""
        return {
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cache_write_long_tokens": self.cache_write_long_tokens,
            "audio_input_tokens": self.audio_input_tokens,
            "image_input_tokens": self.image_input_tokens,
            "output_tokens": self.output_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "audio_output_tokens": self.audio_output_tokens,
            "image_output_tokens": self.image_output_tokens,
            "web_searches": self.web_searches,
            "tokens": self.tokens,
        }


_PARTS = (
    (("cached_tokens", "cache_write_tokens"), "input_tokens"),
    (("cache_write_long_tokens",), "cache_write_tokens"),
    (("audio_input_tokens", "image_input_tokens"), "input_tokens"),
    (("reasoning_tokens",), "output_tokens"),
    (("audio_output_tokens", "image_output_tokens"), "output_tokens"),
)
NOTHING = Usage()
_SEARCHES_MAX = 1_000_000
_SERVICE_TIER_LENGTH_MAX = 40


class HeldCharge(Protocol):
    """A charge that can be ended: a `Charge`, or a `HoldResult` of `hold_many`."""

    @property
    def pk(self) -> int: ...
    @property
    def allocation_id(self) -> int: ...
    @property
    def api_key_id(self) -> str: ...
    @property
    def price_id(self) -> int: ...


class Settlement(NamedTuple):
    """How one held charge ends. Only a `settled` one has usage, basis and the provider's figures.

    `provider_cost`: USD as the provider computed it; recorded beside Butler's cost, never charged.
    `service_tier`: as the provider says it served the call; blank if it does not say.
    """

    charge: HeldCharge
    status: str
    usage: Usage = NOTHING
    basis: str = Charge.Basis.PROVIDER
    provider_cost: Decimal | None = None
    provider_request_id: str = ""
    service_tier: str = ""


class SettlementResult(NamedTuple):
    """The result of ending one charge.

    `ended`: False when the charge had ended before. `cost`: USD it was settled at. `left`: tokens
    of its allocation that can still be held; 0 when the allocation is closed. `used`: those that
    its settled calls have used.
    """

    ended: bool
    cost: Decimal
    left: int
    used: int


def settle(
    *, charge: Charge, usage: Usage, basis: str = Charge.Basis.PROVIDER, now: datetime
) -> int:
    """Pay what a held call really used and give back the rest; 1, or 0 when it was settled before.

    More than was held is recorded in full. A charge that has expired is settled all the same.
    Refusals: WrongValue; ChargeEnded when it was released, or settled with other usage.
    """
    settled = settle_many([Settlement(charge, _STATUSES.SETTLED, usage, basis)], now=now)
    if not settled:
        _check_same(Charge.objects.get(pk=charge.pk), usage)
    return settled


def _check_same(charge: Charge, usage: Usage) -> None:
    columns = usage.as_columns()
    if charge.status != _STATUSES.SETTLED or columns != {n: getattr(charge, n) for n in columns}:
        raise ChargeEnded(charge_id=charge.pk, charge_status=charge.status)


def release(*, charge: Charge, now: datetime) -> int:
    """Give a hold back: nothing was used. 1, or 0 when the charge had ended before."""
    return settle_many([Settlement(charge, _STATUSES.RELEASED)], now=now)


def settle_many(endings: Iterable[Settlement], *, now: datetime) -> int:
    """End a batch of held charges in one transaction; returns how many. Refusals: WrongValue."""
    return sum(each.ended for each in end_many(endings, now=now))


def end_many(endings: Iterable[Settlement], *, now: datetime) -> list[SettlementResult]:
    """End a batch of held charges in one transaction; the result of each, in the order
    given.

    Of several endings of one charge the first counts. Refusals: WrongValue, and nothing ends.
    """
    endings = list(endings)
    given: dict[int, dict[str, Any]] = {}
    for ending in endings:
        if ending.charge.pk not in given:
            given[ending.charge.pk] = _row(ending, now=now)
    if not endings:
        return []
    spent = _end(endings, Jsonb(list(given.values()), dumps=msgspec.json.encode), now=now)
    after_settlement.rotate_crossed(spent, now=now)
    return _outcomes(endings, given, spent)


@transactions.in_books
def _end(endings: list[Settlement], rows: Jsonb, *, now: datetime) -> list[Spent]:
    spent = transactions.fetch_under_lock(
        sql.END,
        {"endings": rows, "at": now},
        allocations={ending.charge.allocation_id for ending in endings},
        scopes={f"key:{ending.charge.api_key_id}" for ending in endings},
        now=now,
    )
    return after_settlement.follow(spent, at=now)


def _row(ending: Settlement, *, now: datetime) -> dict[str, Any]:
    """An ending as `sql.END` takes it. Refusals: WrongValue."""
    charge, usage = ending.charge, ending.usage
    usage.check()
    row: dict[str, Any] = {**usage.as_columns()}
    row["id"] = charge.pk
    row["status"] = ending.status
    row["basis"] = ending.basis
    price, service_tier = price_of(charge.price_id), ending.service_tier
    row["cost"] = usage.cost(price, service_tier=service_tier, at=now)
    row["service_tier"] = service_tier[:_SERVICE_TIER_LENGTH_MAX]
    row["search_kind"] = usage.search_kind
    row["provider_cost"] = ending.provider_cost
    row["provider_request_id"] = ending.provider_request_id[:200]
    return row


def _outcomes(
    endings: list[Settlement], given: dict[int, dict[str, Any]], spent: list[Spent]
) -> list[SettlementResult]:
    after = {row.id: row for row in spent}
    open_yet = {pk for row in spent for pk in row.charges}
    before = _earlier_outcomes(given.keys() - open_yet)
    outcomes = []
    for ending in endings:
        pk = ending.charge.pk
        if pk in open_yet:
            open_yet.discard(pk)
            row = after[ending.charge.allocation_id]
            before[pk] = SettlementResult(False, given[pk]["cost"], row.left, row.used)
            outcomes.append(before[pk]._replace(ended=True))
        else:
            outcomes.append(before[pk])
    return outcomes


def _earlier_outcomes(charges: Collection[int]) -> dict[int, SettlementResult]:
    if not charges:
        return {}
    rows = Charge.objects.filter(pk__in=charges).select_related("allocation")
    return {
        row.pk: SettlementResult(False, row.cost, _tokens_left(row.allocation), row.allocation.used)
        for row in rows
    }


def _tokens_left(allocation: Allocation) -> int:
    return allocation.left if allocation.status == Allocation.Status.ACTIVE else 0
