"""What is compared, how much may differ, and what a difference is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

ZERO = Decimal(0)


class DifferenceKind(StrEnum):
    """Why what a provider bills is not what Butler metered."""

    MISSING_DAY = "missing_day"
    MISSING_CALL = "missing_call"
    DOUBLE = "double"
    PRICE = "price"
    OTHER_NAME = "other_name"
    OTHER_DAY = "other_day"
    TAX = "tax"
    REFUND = "refund"
    CURRENCY = "currency"
    ROUNDING = "rounding"
    UNEXPLAINED = "unexplained"


class Group(NamedTuple):
    """What sums are compared by; blank names where the report does not tell them."""

    day: date
    key: str
    model: str


@dataclass(frozen=True)
class OwnSum:
    """What Butler metered of a group: the cost in USD, and quantities by kind of line."""

    group: Group
    cost: Decimal
    quantities: Mapping[str, Decimal] = field(default_factory=dict)


class OwnCall(NamedTuple):
    """A call that Butler metered, with the id that the provider gave it."""

    request_id: str
    charge_id: int
    group: Group
    cost: Decimal


@dataclass(frozen=True)
class Names:
    """Butler's names of keys and models, by the provider's. Others are the same on both sides."""

    keys: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tolerance:
    """What may differ: `absolute` in USD, or `relative` to the larger side if that is more."""

    absolute: Decimal = Decimal("0.01")
    relative: Decimal = Decimal("0.001")

    def allows(self, own: Decimal, theirs: Decimal) -> bool:
        """Whether two amounts count as the same."""
        return abs(theirs - own) <= max(self.absolute, self.relative * max(abs(own), abs(theirs)))

    def same_quantity(self, own: Decimal, theirs: Decimal) -> bool:
        """Whether two quantities count as the same."""
        return abs(theirs - own) <= self.relative * max(own, theirs)


class Difference(NamedTuple):
    """One difference: `own` and `theirs` in `currency`, with the evidence of its kind.

    `charge_id`: the call that it is about, where one is known. `their_key`, `their_model`: the
    other names of a difference of names.
    """

    kind: str
    group: Group
    own: Decimal
    theirs: Decimal
    evidence: str
    request_id: str = ""
    charge_id: int | None = None
    currency: str = "USD"
    their_key: str = ""
    their_model: str = ""
