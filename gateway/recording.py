"""Keep what was asked and answered, where the cost centre says so; nowhere else."""

from dataclasses import dataclass, field
from time import monotonic

from django.conf import settings
from django.utils import timezone

from gateway.admission import Admitted
from gateway.queries import retention_days
from gateway.runtime import Office
from gateway.services import keep_exchange

# How late a changed retention may be noticed.
_KNOWN_SECONDS = 5


@dataclass(slots=True)
class Keeping:
    """One exchange while it happens. `days` 0: nothing is kept of it."""

    charge_id: int
    days: int
    request: bytes
    answer: list[bytes] = field(default_factory=list)
    complete: bool = True
    size: int = 0

    def add(self, piece: bytes) -> None:
        """A piece of the answer, as the client got it; beyond all measure it is cut."""
        self.size += len(piece)
        if self.days and self.size <= settings.GATEWAY_BODY_BYTES_MAX:
            self.answer.append(piece)

    def end(self, office: Office, status: int, media_type: str) -> None:
        """Write it down, in the background."""
        if self.days:
            office.finish(
                office.threads.run(
                    keep_exchange,
                    charge_id=self.charge_id,
                    days=self.days,
                    request=self.request,
                    answer=b"".join(self.answer),
                    status=status,
                    media_type=media_type,
                    complete=self.complete and self.size <= settings.GATEWAY_BODY_BYTES_MAX,
                    now=timezone.now(),
                )
            )


async def begin(office: Office, admitted: Admitted, body: bytes) -> Keeping:
    """What will be kept of this call."""
    days = await _days(office, tuple(admitted.session.payers))
    return Keeping(admitted.held.pk, days, body if days else b"")


async def _days(office: Office, payers: tuple[str, ...]) -> int:
    known = office.retention.get(payers)
    if known and known[1] > monotonic():
        return known[0]
    days = await office.threads.run(retention_days, payers)
    office.retention[payers] = (days, monotonic() + _KNOWN_SECONDS)
    return days
