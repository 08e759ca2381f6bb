"""Lines: what reports of providers come down to."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

AMOUNT_MAX = Decimal(10**9)
QUANTITY_MAX = Decimal(10**15)


class LineKind(StrEnum):
    """What a line counts or costs. Cached and written tokens are among the input."""

    CALLS = "calls"
    INPUT = "input_tokens"
    CACHED = "cached_tokens"
    CACHE_WRITE = "cache_write_tokens"
    OUTPUT = "output_tokens"
    COST = "cost"
    TAX = "tax"
    REFUND = "refund"


class Line(NamedTuple):
    """A line of a report.

    `day` is a UTC day. `key` and `model` are the provider's names, blank if the report does not
    tell them. `quantity` counts tokens or calls; `amount` is in `currency`; None: not told.
    """

    day: date
    key: str
    model: str
    kind: str
    quantity: Decimal | None
    amount: Decimal | None
    currency: str = "USD"
    request_id: str = ""
