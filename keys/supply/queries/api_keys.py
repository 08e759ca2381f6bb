"""API keys as agents see them: with the tokens free on each, without secrets."""

from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from keys.books.queries.candidates import candidates
from keys.books.selection import ACTIVE, Candidate
from keys.models import ApiKey


class ListedKey(NamedTuple):
    """An API key with its status now, and whether it is a candidate for allocations.

    `capacity`: tokens free in its tightest window; None is unlimited.
    """

    api_key: ApiKey
    status: str
    capacity: int | None
    available: bool


class KeyFilter(NamedTuple):
    """A filter of API keys; None does not filter. `after`: keys with a later name."""

    available: bool | None = None
    provider: str | None = None
    model: str | None = None
    after: str | None = None


def suspended_keys(*, until: datetime) -> list[str]:
    """Suspended keys that may be lent again at `until` or before; those first that wait least."""
    suspended = ApiKey.objects.filter(
        status=ApiKey.Status.SUSPENDED, cooling_until__lte=until
    ).order_by("cooling_until", "pk")
    return list(suspended.values_list("pk", flat=True))


def key_page(which: KeyFilter, *, most: int, now: datetime) -> list[ListedKey]:
    """The first `most` keys of the filter by name; two queries."""
    models = [which.model] if which.model else []
    listed = sorted(
        (
            candidate
            for candidate in candidates(models=models, payers_usd=None, now=now)
            if _matches(candidate, which)
        ),
        key=lambda candidate: candidate.slug,
    )[:most]
    rows = ApiKey.objects.select_related("price").defer("secret").in_bulk([c.slug for c in listed])
    return [ListedKey(rows[c.slug], c.status, c.capacity, _is_available(c)) for c in listed]


def _matches(candidate: Candidate, which: KeyFilter) -> bool:
    return (
        which.available in (None, _is_available(candidate))
        and which.provider in (None, candidate.provider)
        and candidate.serves
        and (which.after is None or candidate.slug > which.after)
    )


def _is_available(candidate: Candidate) -> bool:
    roomy = candidate.capacity is None or candidate.capacity > settings.CANDIDATE_FREE_TOKENS_MIN
    return candidate.status == ACTIVE and roomy
