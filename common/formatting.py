"""Numbers and moments as people read them."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

_STEPS: tuple[tuple[int, str], ...] = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_YEAR_OF_NO_END = 9000
_CENT = Decimal("0.01")


def group_digits(number: Decimal | int) -> str:
    """`1,234,567`; decimal places only if they are not zero: `1,234.5`."""
    whole = int(number)
    return f"{whole:,}" if number == whole else f"{Decimal(number).normalize():,f}"


def count(number: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(number: Decimal | int) -> str:
    """`1.23M`: three digits at most, never rounded up to more than there is."""
    whole = int(number)
    for size, letter in _STEPS:
        if abs(whole) >= size:
            scaled = Decimal(whole) / size
            places = 2 if scaled < 10 else 1 if scaled < 100 else 0
            cut = int(scaled * 10**places)
            return f"{(Decimal(cut) / 10**places).normalize():f}{letter}"
    return group_digits(whole)


def dollars(amount: Decimal | int) -> str:
    """`$12.34`, `-$0.0421`; the price of a single call below a cent keeps its places."""
    amount = Decimal(amount)
    if amount < 0:
        return f"-{dollars(-amount)}"
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    exact = round(amount, 4) if abs(amount) >= _CENT else amount
    return f"${max(exact.normalize(), round(amount, 2), key=_places):f}"


def quantity(number: Decimal | int, *, unit: str) -> str:
    """`1.23M` tokens or `$12.34`, as `unit` (`tokens`, `usd`) says."""
    return dollars(number) if unit == "usd" else short(number)


def duration(length: timedelta) -> str:
    """The two largest parts: `3 d 4 h`, `12 min`, `40 s`; `0 s` when negative."""
    seconds = max(int(length.total_seconds()), 0)
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def reset(at: datetime, *, zone: str, now: datetime) -> str:
    """When a window resets, in its zone and from now: `resets at 00:00 UTC, in 3 h 12 min`."""
    if at.year > _YEAR_OF_NO_END:
        return "never resets"
    wall = at.astimezone(ZoneInfo(zone))
    day = "" if at - now < timedelta(days=1) else f"on {wall.day} {wall:%b} "
    return f"resets {day}at {wall:%H:%M} {zone}, in {duration(at - now)}"


def percent(part: Decimal | int, whole: Decimal | int) -> Decimal:
    """`part` of `whole` in percent, from 0 to 100, with one place; all of nothing is 100."""
    if whole <= 0:
        return Decimal(100 if part > 0 else 0)
    return min(max(Decimal(part) * 100 / Decimal(whole), Decimal(0)), Decimal(100)).quantize(
        Decimal("0.1")
    )


def _places(amount: Decimal) -> int:
    return -int(amount.as_tuple().exponent)
