"""Drive the sessions of a trace through the Token Manager, in several threads.

A session belongs to one thread, so its calls stay in order; each thread has its own database
connection. A session behaves as a careful agent, which knows the length of its prompt but not of
the answer. Before a call whose prompt its allocation does not cover, it asks for a new allocation.
If that is refused, it skips the call and asks again before the next one.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event

from django.db import connection
from django.utils import timezone

from common.refusal import Refusal
from interchange.replay.tally import Tally
from interchange.replay.traces import Call
from keys import services as keys
from keys.models import AgentToken, Allocation
from security.actor import Actor

_REPLAY = Actor.job("replay")
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to replay. `speed` times as fast as it happened; 0 is as fast as possible.

    `budget`: the least tokens of an allocation. `run`: the prefix of the idempotency keys.
    """

    agents: Sequence[str]
    threads: int
    budget: int
    speed: float
    run: str = field(default_factory=lambda: secrets.token_hex(4))


@dataclass
class _Session:
    agent: str
    calls_left: int
    allocation: Allocation | None = None
    left: int = 0


class Driver:
    """One replay: `run` returns at the end of the trace, or soon after `stop` is set."""

    def __init__(self, calls: list[Call], plan: Plan, *, on_call: Callable[[], None]) -> None:
        self.plan, self.stop, self._on_call = plan, Event(), on_call
        self._offered = len(calls), sum(call.tokens for call in calls)
        counts = Counter(call.session for call in calls)
        self._sessions = {
            name: _Session(plan.agents[number % len(plan.agents)], count)
            for number, (name, count) in enumerate(counts.items())
        }
        thread_of = {name: number % plan.threads for number, name in enumerate(counts)}
        self._shares = [
            [call for call in calls if thread_of[call.session] == thread]
            for thread in range(plan.threads)
        ]

    def run(self) -> Tally:
        """Replay it all. Ctrl-C stops it: live allocations are completed, the tally is partial."""
        self._started = time.monotonic()
        with ThreadPoolExecutor(self.plan.threads, "replay") as threads:
            running = [threads.submit(self._drive, share) for share in self._shares]
            self._watch(running)
        tally = sum((future.result() for future in running), Tally())
        tally.offered, tally.offered_tokens = self._offered
        tally.seconds, tally.stopped = time.monotonic() - self._started, self.stop.is_set()
        return tally

    def _watch(self, running: list[Future[Tally]]) -> None:
        """Wait for the threads; Ctrl-C, or a bug in one of them, stops all."""
        while pending := wait(running, timeout=0).not_done:
            try:
                wait(pending, timeout=_LOOK_SECONDS)
            except KeyboardInterrupt:
                self.stop.set()
            if any(future.done() and future.exception() for future in running):
                self.stop.set()

    def _drive(self, calls: list[Call]) -> Tally:
        tally = Tally()
        try:
            for call in calls:
                self._wait_until_due(call)
                if self.stop.is_set():
                    break
                self._call(call, self._sessions[call.session], tally)
                self._on_call()
            for name in {call.session for call in calls}:
                self._complete(self._sessions[name], tally)
        finally:
            connection.close()
        return tally

    def _wait_until_due(self, call: Call) -> None:
        if self.plan.speed:
            due = self._started + call.at / self.plan.speed
            self.stop.wait(max(due - time.monotonic(), 0))

    def _call(self, call: Call, session: _Session, tally: Tally) -> None:
        session.calls_left -= 1
        try:
            if session.left <= call.input_tokens:
                self._borrow(call, session, tally)
            self._report(call, session, tally)
        except Refusal as refusal:
            tally.refuse(refusal.code, call.tokens)
        if not session.calls_left:
            self._complete(session, tally)

    def _borrow(self, call: Call, session: _Session, tally: Tally) -> None:
        self._complete(session, tally)
        with tally.measure("allocate", "allocate, refused"):
            session.allocation, _ = keys.allocate(
                agent=session.agent,
                request=keys.AllocationRequest(tokens=max(self.plan.budget, 2 * call.input_tokens)),
                idempotency_key=self._idempotency_key(call),
                actor=_REPLAY,
                now=timezone.now(),
            )
        session.left = session.allocation.allocated
        tally.allocations += 1

    def _report(self, call: Call, session: _Session, tally: Tally) -> None:
        if session.allocation is None:
            raise ValueError("The session has no allocation to report the call in.")
        with tally.measure("report_usage"):
            charge, _ = keys.report_usage(
                allocation_id=session.allocation.pk,
                usage=keys.Usage(
                    input_tokens=call.input_tokens,
                    cached_tokens=call.cached_tokens,
                    output_tokens=call.output_tokens,
                    reasoning_tokens=call.reasoning_tokens,
                ),
                idempotency_key=self._idempotency_key(call),
                scopes=[AgentToken.Scope.OPERATE],
                now=timezone.now(),
            )
        tally.pay(charge)
        session.left -= charge.tokens
        if session.left <= 0:
            session.allocation, session.left = None, 0  # The books closed it.

    def _complete(self, session: _Session, tally: Tally) -> None:
        allocation, session.allocation, session.left = session.allocation, None, 0
        if allocation is None:
            return
        try:
            with tally.measure("complete"):
                keys.complete(allocation_id=allocation.pk, actor=_REPLAY, now=timezone.now())
        except Refusal as refusal:  # Another process closed the allocation, or it expired.
            tally.refusals[refusal.code] += 1

    def _idempotency_key(self, call: Call) -> str:
        return f"{self.plan.run}:{call.session}:{call.step}"[:255]
