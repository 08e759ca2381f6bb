"""Column shapes that several tables share.

The numbers that go in are bounded far below what fits: a sum must never overflow, since calls whose
settlement fails are calls that nobody pays.
"""

from typing import Any

from django.db import models
from django.db.models.functions import Now


def usd(**options: Any) -> "models.DecimalField[Any, Any]":
    """US dollars, exact to the billionth; never a float."""
    return models.DecimalField(max_digits=20, decimal_places=9, **options)


def quantity(**options: Any) -> "models.DecimalField[Any, Any]":
    """Tokens (whole) or US dollars (9 places), as the row's unit says."""
    return models.DecimalField(max_digits=38, decimal_places=9, **options)


def created_at_field() -> "models.DateTimeField[Any, Any]":
    """The moment of the INSERT, by the clock of the database."""
    return models.DateTimeField(db_default=Now(), editable=False)
