"""The names of limits where each is a value of its own: options of commands, columns of lists."""

from keys.models import Period, Unit

# `tokens_per_day`, `usd_in_total`, …: the unit and the period of each.
LIMIT_NAMES = {
    f"{unit}_in_total" if period == Period.TOTAL else f"{unit}_per_{period}": (unit, period)
    for unit in Unit.values
    for period in Period.values
}
