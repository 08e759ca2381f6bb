"""The counts of one thread of a replay; tallies can be added."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from common.refusal import Refusal
from keys.models import Charge


@dataclass
class Tally:
    """Calls offered by the trace and calls made, tokens, USD, refusals by code, seconds by verb."""

    offered: int = 0
    offered_tokens: int = 0
    calls: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    allocations: int = 0
    overruns: int = 0
    refused: int = 0
    refused_tokens: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    durations: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0
    stopped: bool = False

    def __add__(self, other: "Tally") -> "Tally":
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in self.__dataclass_fields__
            if name not in ("durations", "stopped")
        }
        verbs = self.durations.keys() | other.durations.keys()
        durations = {
            verb: self.durations.get(verb, []) + other.durations.get(verb, []) for verb in verbs
        }
        return Tally(**sums, durations=durations, stopped=self.stopped or other.stopped)

    def pay(self, charge: Charge) -> None:
        """Count a call that was made and charged."""
        self.calls += 1
        self.tokens += charge.tokens
        self.cost += charge.cost
        self.overruns += charge.overrun

    def refuse(self, code: str, tokens: int) -> None:
        """Count a call that was refused."""
        self.refused += 1
        self.refused_tokens += tokens
        self.refusals[code] += 1

    @contextmanager
    def measure(self, verb: str, refused_verb: str | None = None) -> Iterator[None]:
        """Record the duration of the block under `verb`, or under `refused_verb` for a refusal."""
        started = time.perf_counter()
        try:
            yield
        except Refusal:
            verb = refused_verb or verb
            raise
        finally:
            self.durations.setdefault(verb, []).append(time.perf_counter() - started)
