"""API keys as agents may see them: what is free on each, never a secret."""

from datetime import datetime
from typing import NamedTuple

from django.conf import settings

from keys.books.queries.candidates import candidates
from keys.books.selection import ACTIVE, Candidate
from keys.models import ApiKey


class ListedKey(NamedTuple):
    """A key, what it is as of now, and whether it is a candidate for allocations.

    `capacity`: tokens free in its tightest window; None is unlimited.
    """

    api_key: ApiKey
    status: str
    capacity: int | None
    available: bool


class KeyFilter(NamedTuple):
    """Which keys; None is all of them. `after`: those with a later name."""

    available: bool | None = None
    provider: str | None = None
    model: str | None = None
    after: str | None = None


def key_page(which: KeyFilter, *, most: int, now: datetime) -> list[ListedKey]:
    """The first `most` of those keys by name; two queries."""
    found = sorted(
        (
            candidate
            for candidate in candidates(payers_usd=None, now=now)
            if _fits(candidate, which)
        ),
        key=lambda candidate: candidate.slug,
    )[:most]
    rows = ApiKey.objects.select_related("price").defer("secret").in_bulk([c.slug for c in found])
    return [ListedKey(rows[c.slug], c.status, c.capacity, _is_available(c)) for c in found]


def _fits(candidate: Candidate, which: KeyFilter) -> bool:
    return (
        which.available in (None, _is_available(candidate))
        and which.provider in (None, candidate.provider)
        and which.model in (None, candidate.model)
        and (which.after is None or candidate.slug > which.after)
    )


def _is_available(candidate: Candidate) -> bool:
    roomy = candidate.capacity is None or candidate.capacity > settings.CANDIDATE_FREE_TOKENS_MIN
    return candidate.status == ACTIVE and roomy
