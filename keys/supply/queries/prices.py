"""Lines of the price book."""

from functools import lru_cache

from keys.models import Price


@lru_cache(maxsize=10_000)
def price_of(price_id: int) -> Price:
    """A line of the price book; kept in memory, since lines are never changed."""
    return Price.objects.get(pk=price_id)
