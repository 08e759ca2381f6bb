"""Lines of the price book."""

from keys.models import Price

_REMEMBERED_MAX = 10_000
_remembered: dict[int, Price] = {}


def price_of(price_id: int) -> Price:
    """A line of the price book; kept in memory, since lines are never changed."""
    price = _remembered.get(price_id)
    if price is None:
        if len(_remembered) >= _REMEMBERED_MAX:
            _remembered.clear()
        price = _remembered[price_id] = Price.objects.get(pk=price_id)
    return price


def is_price_remembered(price_id: int) -> bool:
    """Whether `price_of` needs no database."""
    return price_id in _remembered
