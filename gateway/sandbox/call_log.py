"""The sandbox's own log: every call that reached it, with what a provider would bill for it."""

from collections import Counter, deque
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import msgspec

from gateway.sandbox.reply import NOTHING, Bill

_CALLS_MAX = 100_000
_BILL_FIELDS = Bill.__struct_fields__
_SUM_FIELDS = ("calls", "finished", "failed", *_BILL_FIELDS)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class LoggedCall(msgspec.Struct, kw_only=True, gc=False):
    """One call. `status`: 0 when not even headers were sent. `finished`: a whole answer was sent to
    the client."""

    route: str
    number: int = 0
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    id: str = ""
    key: str = ""
    stream: bool = False
    model: str = ""
    status: int = 0
    finished: bool = False
    bill: Bill = NOTHING
    cost: Decimal | None = None
    tier: str = ""

    def as_row(self) -> dict[str, object]:
        """The call as one flat object of the log."""
        row = msgspec.structs.asdict(self)
        del row["bill"]
        return row | msgspec.structs.asdict(self.bill)


class CallLog:
    """The last 100,000 calls, the sums of all calls, and optionally a file of JSON lines."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file.open("ab", buffering=0) if file else None
        self._calls: deque[LoggedCall] = deque(maxlen=_CALLS_MAX)
        self._sums: dict[tuple[str, str, str], dict[str, int]] = {}
        self._last = 0

    def add(self, call: LoggedCall) -> None:
        """Number a call that has ended and log it."""
        self._last += 1
        call.number = self._last
        self._calls.append(call)
        self._sum(call)
        if self._file:
            self._file.write(_encode(call.as_row()) + b"\n")

    def after(self, number: int) -> bytes:
        """A JSON list of the calls with a higher number."""
        missed = len(self._calls) - (self._last - number)
        return _encode([call.as_row() for call in islice(self._calls, max(0, missed), None)])

    def totals(self, by: str) -> dict[str, dict[str, int]]:
        """Sums of all calls by `key`, `route` or `model`. Errors: ValueError."""
        place = ("key", "route", "model").index(by)
        sums: dict[str, Counter[str]] = {}
        for names, counted in self._sums.items():
            sums.setdefault(names[place], Counter()).update(counted)
        return {name: dict(counted) for name, counted in sums.items()}

    def clear(self) -> None:
        """Forget all calls. The file stays, and the numbering continues."""
        self._calls.clear()
        self._sums.clear()

    def _sum(self, call: LoggedCall) -> None:
        names = (call.key, call.route, call.model)
        counted = self._sums.get(names) or self._sums.setdefault(
            names, dict.fromkeys(_SUM_FIELDS, 0)
        )
        counted["calls"] += 1
        counted["finished"] += call.finished
        counted["failed"] += not 200 <= call.status < 300
        if call.bill is not NOTHING:
            for name in _BILL_FIELDS:
                counted[name] += getattr(call.bill, name)
