"""The meter of routes that do not stream."""

from gateway.dialects.base import UsageReport
from gateway.dialects.output_count import StreamedText
from keys.services import Usage
from keys.supply.model_facts import ModelFacts


class UnmeteredStream:
    """Passes every event on and finds no usage."""

    report: UsageReport | None = None
    # Nothing is kept back of what is not read.
    begun = True
    ended = False
    finished = False
    error = None
    service_tier = ""

    def __init__(self) -> None:
        self.text = StreamedText()

    def feed(self, event: bytes) -> bytes:
        """The event, unchanged."""
        return event

    def evidence(self, *, model: ModelFacts) -> Usage | None:
        """None: the events are not read."""
        return None
