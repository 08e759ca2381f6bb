"""Column shapes that several tables share."""

from django.db import models
from django.db.models.functions import Now


def usd(**options) -> models.DecimalField:
    """US dollars, exact to the billionth; never a float."""
    return models.DecimalField(max_digits=20, decimal_places=9, **options)


def quantity(**options) -> models.DecimalField:
    """Tokens (whole) or US dollars (9 places), as the row's unit says."""
    return models.DecimalField(max_digits=24, decimal_places=9, **options)


def made_at() -> models.DateTimeField:
    """When the row was made, by the database's clock."""
    return models.DateTimeField(db_default=Now(), editable=False)
