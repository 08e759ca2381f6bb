"""Record the request and the answer of a call, if its cost centre keeps them."""

from dataclasses import dataclass, field
from time import monotonic

from django.conf import settings

from common import database_clock
from gateway.queries import retention_days
from gateway.runtime import Runtime
from gateway.services import keep_exchange
from keys.supply.queries.upstreams import Session

# How late a changed retention may be noticed.
_RETENTION_CACHE_SECONDS = 5


@dataclass(slots=True)
class Recording:
    """One exchange while it happens. `days` 0: nothing of it is kept."""

    charge_id: int
    days: int
    request: bytes
    answer: list[bytes] = field(default_factory=list)
    complete: bool = True
    size: int = 0

    def add(self, piece: bytes) -> None:
        """Add a piece of the answer, as the client got it, up to the largest body allowed."""
        self.size += len(piece)
        if self.days and self.size <= settings.GATEWAY_BODY_BYTES_MAX:
            self.answer.append(piece)

    def save(self, runtime: Runtime, status: int, media_type: str) -> None:
        """Write the exchange to the database, in the background."""
        if self.days:
            runtime.run_detached(
                runtime.threads.run(
                    keep_exchange,
                    charge_id=self.charge_id,
                    days=self.days,
                    request=self.request,
                    answer=b"".join(self.answer),
                    status=status,
                    media_type=media_type,
                    complete=self.complete and self.size <= settings.GATEWAY_BODY_BYTES_MAX,
                    now=database_clock.now(),
                )
            )


async def start(runtime: Runtime, session: Session, *, charge_id: int, request: bytes) -> Recording:
    """A recording of this call, which keeps what the payers' retention says."""
    # Cost centres decide, and their many agents ask together: the first of the payers is the agent.
    days = await _retention_days(runtime, tuple(session.payers[1:]))
    return Recording(charge_id, days, request if days else b"")


async def _retention_days(runtime: Runtime, centres: tuple[str, ...]) -> int:
    cached = runtime.retention.get(centres)
    if cached and cached[1] > monotonic():
        return cached[0]
    days = await runtime.threads.run(retention_days, centres)
    runtime.retention[centres] = (days, monotonic() + _RETENTION_CACHE_SECONDS)
    return days
