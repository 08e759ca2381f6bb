"""Amounts of money in any currency."""

from decimal import Decimal
from typing import Any

from django.db import models

# As many places as a charge has; a rail moves fewer, see `Account.scale`.
PLACES = 9
ZERO = Decimal(0)


def amount_field(**options: Any) -> "models.DecimalField[Any, Any]":
    """An amount in the currency of its row, exact to nine places; never a float."""
    return models.DecimalField(max_digits=38, decimal_places=PLACES, **options)
