"""What was forecast beside what came of it."""

from collections.abc import Iterator
from math import log
from typing import NamedTuple

from django.db.models import Count, F, Q, QuerySet

from prediction.models import SettledWork

# So many of the newest forecasts say how good they are now.
NEWEST = 1_000


class Coverage(NamedTuple):
    """How many settled forecasts there are, and the share that stayed within P90; None if none."""

    rows: int
    share: float | None


def settled_forecasts() -> QuerySet[SettledWork]:
    """Settled work that was forecast by what was learned, the newest first."""
    return SettledWork.objects.filter(p90__isnull=False, calls__gt=0)


def settled_scores() -> Iterator[tuple[str, float]]:
    """The model, and by how much (logarithm) the work exceeded its P90, in the order of settlement;
    of the newest ones. Work that was cut off within its P90 says nothing."""
    known = settled_forecasts().exclude(censored=True, tokens__lte=F("p90"))
    newest = known.order_by("-settled_at", "-allocation_id").values_list("model", "tokens", "p90")
    for model, tokens, p90 in reversed(newest[:NEWEST]):
        yield model, log(max(tokens, 1) / max(p90 or 1, 1))


def coverage(*, agent: str = "", kind: str = "", model: str = "") -> Coverage:
    """How the newest forecasts did, of one agent, kind or model or of all."""
    named = {"agent": agent, "kind": kind, "model": model}
    found = settled_forecasts().filter(**{name: value for name, value in named.items() if value})
    newest = found.order_by("-settled_at", "-allocation_id").values("tokens", "p90")[:NEWEST]
    counted = SettledWork.objects.filter(pk__in=newest.values("pk")).aggregate(
        rows=Count("pk"), within=Count("pk", filter=Q(tokens__lte=F("p90")))
    )
    rows = counted["rows"]
    return Coverage(rows, counted["within"] / rows if rows else None)
