"""Column shapes that several tables share."""

from typing import Any

from django.db import models
from django.db.models.functions import Now


def usd(**options: Any) -> "models.DecimalField[Any, Any]":
    """US dollars, exact to the billionth; never a float."""
    return models.DecimalField(max_digits=20, decimal_places=9, **options)


def quantity(**options: Any) -> "models.DecimalField[Any, Any]":
    """Tokens (whole) or US dollars (9 places), as the row's unit says."""
    return models.DecimalField(max_digits=24, decimal_places=9, **options)


def created_at_field() -> "models.DateTimeField[Any, Any]":
    """The moment of the INSERT, by the clock of the database."""
    return models.DateTimeField(db_default=Now(), editable=False)
