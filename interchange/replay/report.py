"""The report of a replay, for people."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Max

from alerts.models import Alert
from common.row_checks import Finding
from interchange.replay.tally import Tally
from keys.books.queries.books_check import books_check
from keys.models import Rotation


class Mark(NamedTuple):
    """The last ids of alerts and rotations before a replay."""

    alert: int
    rotation: int


def mark() -> Mark:
    """The last ids of alerts and rotations now."""
    return Mark(*(model.objects.aggregate(last=Max("pk"))["last"] or 0 for model in _COUNTED))


_COUNTED = (Alert, Rotation)


class Report(NamedTuple):
    """The tally of a replay, what Butler did during it, and whether the books balance."""

    run: str
    tally: Tally
    alerts: Counter[str]
    rotations: int
    broken: Finding | None

    def lines(self) -> Iterator[str]:
        """The report as text, one line each."""
        tally = self.tally
        yield f"Replay {self.run}{' (stopped before its end)' if tally.stopped else ''}"
        yield f"calls        {tally.calls:,} of {tally.offered:,}"
        yield f"tokens       {tally.tokens:,} of {tally.offered_tokens:,}"
        yield f"cost         {tally.cost:f} USD"
        yield f"allocations  {tally.allocations:,}"
        yield f"refusals     {_total_and_parts(tally.refusals)}"
        yield f"not made     {tally.refused:,} calls of {tally.refused_tokens:,} tokens"
        yield f"overruns     {tally.overruns:,}"
        yield f"alerts       {_total_and_parts(self.alerts)}"
        yield f"rotations    {self.rotations:,}"
        yield f"duration     {tally.seconds:.1f} s, {self.per_second:,.1f} calls/s"
        for verb, seconds in sorted(tally.durations.items()):
            yield f"  {verb:<18} {_spread(seconds)}"
        yield f"the books balance: {'no' if self.broken else 'yes'}"

    @property
    def per_second(self) -> float:
        """Calls of the trace per second, including those that were refused."""
        return (self.tally.calls + self.tally.refused) / max(self.tally.seconds, 0.001)


def report(*, run: str, tally: Tally, since: Mark) -> Report:
    """Count what happened since the mark `since`, and check the books."""
    raised = Alert.objects.filter(pk__gt=since.alert).order_by().values_list("kind", flat=True)
    return Report(
        run=run,
        tally=tally,
        alerts=Counter(raised),
        rotations=Rotation.objects.filter(pk__gt=since.rotation).count(),
        broken=next((finding for finding in books_check() if finding.count), None),
    )


def _total_and_parts(counter: Counter[str]) -> str:
    parts = ", ".join(f"{name} {count:,}" for name, count in counter.most_common())
    return f"{counter.total():,}" + (f" ({parts})" if parts else "")


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    half, most = (1000 * ordered[int((len(ordered) - 1) * share)] for share in (0.5, 0.99))
    return f"{len(ordered):>7,} × {half:.1f} ms (99 % under {most:.1f} ms)"
