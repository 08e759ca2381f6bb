"""What the books have of a month, for those who close it: SQL to build on, and open points.

The texts have the parameters `since`, `until` (moments on quarters of an hour) and `zone`.
"""

from datetime import date, datetime

from keys.books.queries.usage_lines import SUMMED, SUMS
from keys.books.sql.partitions import COUNTED_FROM
from keys.models import Charge, StaleUsage, UsageRollup, UsageSlice

__all__ = [
    "COUNTED_FROM",
    "MONTH_MEASURES",
    "MONTH_USAGE",
    "OPEN_ESTIMATES",
    "adjustments_sql",
    "charge_figures_sql",
    "days_not_made",
    "overdue_holds",
    "unpriced_models",
]

MONTH_MEASURES = SUMMED

# The usage of each day, as slices group it, with the place in the tree that paid. `model` is as
# slices have it, which may be blank: the model of an API key can change later.
MONTH_USAGE = f"""
    SELECT (s.starts_at AT TIME ZONE %(zone)s::text)::date AS day, p.name AS provider,
           s.api_key_id AS api_key, s.agent_id AS agent, s.cost_centre_id AS cost_centre,
           s.placement_id, c.name AS cost_centre_name, s.model,
           coalesce(nullif(s.model, ''), k.model) AS model_name, s.label, {SUMS}
      FROM keys_usageslice s
      JOIN keys_apikey k ON k.slug = s.api_key_id
      JOIN keys_provider p ON p.slug = k.provider_id
      JOIN keys_costcentre c ON c.slug = s.cost_centre_id
     WHERE s.starts_at >= %(since)s AND s.starts_at < %(until)s
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""  # noqa: S608 - names of columns

# The charges that a late answer of their provider can still correct in place.
OPEN_ESTIMATES = """
    SELECT id AS charge_id, tokens, cost FROM keys_charge
     WHERE status = 'settled' AND hold_expired_at IS NOT NULL
       AND settled_at >= %(since)s AND settled_at < %(until)s
"""


def adjustments_sql(since: str, until: str) -> str:
    """The `tokens` and `cost` that adjustments of charges settled in a period add up to; the
    bounds are SQL."""
    return f"""
        SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(cost), 0) AS cost
          FROM keys_adjustment WHERE settled_at >= {since} AND settled_at < {until}
    """  # noqa: S608 - bounds of statements


def charge_figures_sql(charge: str) -> str:
    """The `tokens` and `cost` of a charge as it is now, without adjustments; `charge` is SQL."""
    return f"SELECT tokens, cost FROM keys_charge WHERE id = {charge}"  # noqa: S608 - a column


def overdue_holds(*, until: datetime, now: datetime) -> int:
    """How many charges held before `until` are held beyond their time."""
    held = Charge.objects.filter(status=Charge.Status.HELD, expires_at__lte=now)
    return held.filter(created_at__lt=until).count()


def unpriced_models(*, since: datetime, until: datetime) -> list[str]:
    """The models with tokens in the period that cost nothing, though the provider reported costs
    for some of their calls."""
    usage = UsageSlice.objects.filter(starts_at__gte=since, starts_at__lt=until)
    free = usage.filter(tokens__gt=0, cost=0, provider_cost__gt=0)
    return sorted(set(free.values_list("model", flat=True)))


def days_not_made(*, last: date, until: datetime, zone: str) -> int:
    """How many things keep the days up to `last`, which ends at `until`, from being made: slices
    that changed after their day was made, and one more if the day `last` was never made."""
    stale = StaleUsage.objects.filter(starts_at__lt=until).count()
    is_made = UsageRollup.objects.filter(zone=zone, through__gte=last).exists()
    return stale + (not is_made)
