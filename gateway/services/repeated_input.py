"""Store how much of the input of calls was sent shortly before."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from gateway.models import RepeatedInput
from keys.books.queries.spend import SLICE_SECONDS
from keys.services import Usage

# Savings are of 30 days.
_KEPT = timedelta(days=40)


class InputGroup(NamedTuple):
    """Whose calls are added up: `quarter` is a quarter of an hour, counted from 1970."""

    quarter: int
    agent: str
    api_key: str
    model: str


@dataclass(frozen=True, slots=True)
class InputSums:
    """Sums of calls: see `RepeatedInput`."""

    calls: int = 0
    input_tokens: int = 0
    repeated_tokens: int = 0
    cached_tokens: int = 0
    missed_tokens: int = 0
    fresh_tokens: int = 0

    @classmethod
    def of(cls, usage: Usage, repeated: int) -> "InputSums":
        """Those of one call, of whose input `repeated` tokens were sent shortly before."""
        given, cached = usage.input_tokens, usage.cached_tokens
        fresh = given - max(repeated, cached) - usage.cache_write_tokens
        return cls(1, given, repeated, cached, max(repeated - cached, 0), max(fresh, 0))

    def __add__(self, other: "InputSums") -> "InputSums":
        mine, others = asdict(self), asdict(other)
        return InputSums(**{name: number + others[name] for name, number in mine.items()})


@transaction.atomic(durable=True)
def add_repeated_input(sums: Mapping[InputGroup, InputSums]) -> None:
    """Add sums of this process to those that are stored."""
    for group, added in sorted(sums.items()):
        who = {
            "starts_at": datetime.fromtimestamp(group.quarter * SLICE_SECONDS, UTC),
            "agent": group.agent,
            "api_key": group.api_key,
            "model": group.model,
        }
        RepeatedInput.objects.bulk_create([RepeatedInput(**who)], ignore_conflicts=True)
        RepeatedInput.objects.filter(**who).update(
            **{name: F(name) + number for name, number in asdict(added).items()}
        )


@transaction.atomic(durable=True)
def forget_repeated_input(*, now: datetime) -> int:
    """Delete what is too old for savings; returns how many rows there were."""
    return RepeatedInput.objects.filter(starts_at__lt=now - _KEPT).delete()[0]
