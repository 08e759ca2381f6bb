"""Sessions of workloads, day by day."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random

from interchange.simulated_usage.workloads import HOURS, ModelUse, Outage, Workload
from keys.models import Allocation, Charge
from keys.services import CallKind, PastCall, PastSession, Usage

_KINDS = 100
# Of 100 calls of a kind, this many end otherwise than with the provider's figures.
_RELEASED, _ESTIMATED, _EXPIRED = 2, 2, 1
_REFUSED_IN_OUTAGE = 0.8
_ENDINGS = [Allocation.Status.COMPLETED] * 46 + [
    Allocation.Status.EXHAUSTED,
    Allocation.Status.EXPIRED,
    Allocation.Status.FAILED,
    Allocation.Status.FAILED,
]
_HOLD = timedelta(minutes=10)


class Simulation:
    """Makes the sessions of workloads; the same `seed` makes the same ones.

    `name` begins the names of the sessions. The number of sessions grows by `growth` a day.
    """

    def __init__(
        self,
        workloads: Sequence[Workload],
        *,
        outages: Sequence[Outage] = (),
        name: str,
        seed: int,
        growth: float = 0.0,
    ) -> None:
        self._workloads = workloads
        self._outages = outages
        self._name = name
        self._seed = seed
        self._growth = growth
        self._kinds = cache(self._make_kinds)

    def sessions(self, *, since: date, until: datetime) -> Iterator[PastSession]:
        """The sessions from the beginning of the day `since`, in UTC, that had ended at `until`;
        day by day."""
        for number in range((until.date() - since).days + 1):
            day = since + timedelta(days=number)
            made = self._sessions_of(day, growth=1 + self._growth * number)
            yield from sorted(
                (each for each in made if each.closed_at <= until), key=lambda s: s.created_at
            )

    def _sessions_of(self, day: date, *, growth: float) -> Iterator[PastSession]:
        random = self._random(day)
        number = 0
        for workload in self._workloads:
            mean = workload.sessions_on(day) * growth
            for _ in range(int(mean * random.uniform(0.8, 1.2) + random.random())):
                number += 1
                name = f"{self._name}-{day:%y%m%d}-{number}"
                yield self._session(name, workload, day, random)

    def _session(self, name: str, workload: Workload, day: date, random: Random) -> PastSession:
        (hour,) = random.choices(range(24), HOURS[workload.hours])
        seconds = hour * 3600 + random.randrange(3600)
        created_at = datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)
        (use,) = random.choices(workload.models, [each.share for each in workload.models])
        kinds = self._kinds(use, workload.input_tokens, workload.output_tokens)
        if any(_is_out(each, use, created_at) for each in self._outages):
            refused = max(kinds, key=lambda kind: kind.status == Charge.Status.RELEASED)
            kinds = [refused if random.random() < _REFUSED_IN_OUTAGE else each for each in kinds]
        calls = _calls(random.randint(*workload.calls), kinds, created_at, random)
        used = sum(call.kind.usage.tokens for call in calls)
        status = random.choice(_ENDINGS) if used else Allocation.Status.FAILED
        return PastSession(
            session_id=name,
            agent=workload.agent,
            key_id=use.key_id,
            label=workload.label,
            status=status,
            allocated=used if status == Allocation.Status.EXHAUSTED else _allocated(used, random),
            created_at=created_at,
            closed_at=calls[-1].ended_at + timedelta(seconds=1),
            calls=calls,
        )

    def _make_kinds(self, use: ModelUse, input_tokens: int, output_tokens: int) -> list[CallKind]:
        """Calls of a model of about this size, as often as they happen."""
        random = self._random(use.key_id, use.model, input_tokens, output_tokens)
        return [_kind(number, use, input_tokens, output_tokens, random) for number in range(_KINDS)]

    def _random(self, *names: object) -> Random:
        return Random(f"{self._seed} {names}")  # noqa: S311 - simulated, not secret


def _is_out(outage: Outage, use: ModelUse, at: datetime) -> bool:
    is_then = at.date() == outage.day and outage.from_hour <= at.hour < outage.until_hour
    return is_then and use.key_id == outage.key_id


def _kind(
    number: int, use: ModelUse, input_tokens: int, output_tokens: int, random: Random
) -> CallKind:
    prompt = int(input_tokens * random.lognormvariate(0, 0.5)) + 20
    answer = int(output_tokens * random.lognormvariate(0, 0.6)) + 5
    held = prompt + 4 * answer
    if number < _RELEASED:
        return CallKind(model=use.model, held_tokens=held, status=Charge.Status.RELEASED)
    if number < _RELEASED + _EXPIRED:
        return CallKind(model=use.model, held_tokens=held, status=Charge.Status.EXPIRED, route="")
    if number < _RELEASED + _EXPIRED + _ESTIMATED:
        usage = Usage(input_tokens=prompt, output_tokens=answer)
        return CallKind(
            model=use.model, usage=usage, held_tokens=held, basis=Charge.Basis.ESTIMATED
        )
    usage = Usage(
        input_tokens=prompt,
        output_tokens=answer,
        cached_tokens=int(prompt * random.choice((0, 0, 0.3, 0.7))),
        reasoning_tokens=int(answer * random.choice((0, 0, 0.4))),
    )
    return CallKind(
        model=use.model, usage=usage, held_tokens=held, has_provider_cost=use.has_provider_cost
    )


def _calls(
    count: int, kinds: Sequence[CallKind], created_at: datetime, random: Random
) -> list[PastCall]:
    calls, at = [], created_at
    for kind in random.choices(kinds, k=count):
        began_at = at + timedelta(seconds=random.randint(1, 40))
        took = timedelta(seconds=1 + kind.usage.output_tokens // 60)
        at = began_at + (_HOLD if kind.status == Charge.Status.EXPIRED else took)
        calls.append(PastCall(kind, began_at, at))
    return calls


def _allocated(used: int, random: Random) -> int:
    """More than was used, in thousands."""
    return int(max(used, 10_000) * random.uniform(1.1, 2.5)) // 1_000 * 1_000
