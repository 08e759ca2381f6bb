"""Stripe's requests: forms whose nested fields have their path as name, in a fixed order."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

# The places of the currency, which Stripe leaves out: 12.30 USD are 1230.
_CENT = Decimal("0.01")


def encode(fields: Mapping[str, Any]) -> str:
    """The form; `{"a": {"b": 1}}` is `a[b]=1`."""
    return urlencode(list(_flat("", fields)))


def minor_units(amount: Decimal) -> int:
    """The amount in cents. Raises ValueError for a part of a cent."""
    if amount != amount.quantize(_CENT):
        raise ValueError(f"{amount} is not a whole number of cents.")
    return int(amount / _CENT)


def from_minor_units(cents: int) -> Decimal:
    """The amount of so many cents."""
    return Decimal(cents) * _CENT


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(f"{path}[{name}]" if path else name, each)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, each in enumerate(value):
            yield from _flat(f"{path}[{number}]", each)
    else:
        yield path, ("true" if value else "false") if isinstance(value, bool) else str(value)
