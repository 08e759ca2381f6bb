"""What one call is settled at: once, by the best evidence there is, whatever became of the call."""

import asyncio
from dataclasses import replace

from gateway.admission import Admitted
from gateway.dialects import Dialect, Reported, StreamMeter
from gateway.runtime import Office
from keys.models import Charge
from keys.services import Ended, Ending, Usage

_STATES, _BASIS = Charge.Status, Charge.Basis


class Payment:
    """One held charge, until it is paid.

    Unknown is not zero: what was sent and not refused is charged. Best is what the provider said,
    then what was counted, then the whole hold. `made`: the call was sent and not refused; `whole`:
    its stream came to its end.
    """

    def __init__(self, office: Office, admitted: Admitted, dialect: Dialect) -> None:
        self._office, self._admitted, self._dialect = office, admitted, dialect
        self._paying: asyncio.Task[Ended] | None = None
        self.made = self.whole = False
        self.meter: StreamMeter | None = None
        self.answer: bytes | None = None
        office.running.add(admitted.held.pk)

    def pay(self) -> asyncio.Task[Ended]:
        """Settle or release it by what is known now. Twice is once; whoever waits may give up."""
        if self._paying is None:
            self._paying = self._office.finish(self._end())
        return asyncio.shield(self._paying)

    async def _end(self) -> Ended:
        try:
            return await self._office.end(self._ending())
        finally:
            self._office.running.discard(self._admitted.held.pk)

    def _ending(self) -> Ending:
        held = self._admitted.held
        if not self.made:
            return Ending(held, _STATES.RELEASED)
        if not self._dialect.spends:
            return Ending(held, _STATES.SETTLED)
        if reported := self._reported():
            return Ending(
                held,
                _STATES.SETTLED,
                reported.usage,
                _BASIS.PROVIDER,
                reported.provider_cost,
                reported.provider_request_id,
            )
        usage = self._counted() or Usage(total=held.tokens)
        return Ending(held, _STATES.SETTLED, usage, _BASIS.ESTIMATED)

    def _reported(self) -> Reported | None:
        if self.meter:
            # What a stream said before it ended may not be all of it.
            return self.meter.reported if self.whole or self.meter.ended else None
        return self._dialect.reported(self.answer) if self.answer is not None else None

    def _counted(self) -> Usage | None:
        """Counted from what came, for want of the provider's own word; None when nothing came."""
        model, bound = self._admitted.upstream.model, self._admitted.input_max
        said = self.meter.reported.usage if self.meter and self.meter.reported else None
        if self.meter:
            usage = said or self.meter.evidence(model=model)
            if usage and not usage.input_tokens and usage.total is None:
                usage = Usage(input_tokens=bound, output_tokens=usage.output_tokens)
        else:
            produced = self._dialect.produced(self.answer, model=model) if self.answer else 0
            usage = Usage(input_tokens=bound, output_tokens=produced) if produced else None
        return usage if said or not usage else self._within_hold(usage)

    def _within_hold(self, usage: Usage) -> Usage:
        """Where no tokenizer is public, bytes are counted: more than the model was let write."""
        held = self._admitted.held.tokens
        if usage.tokens <= held:
            return usage
        output = max(held - usage.input_tokens, 0)
        return replace(
            usage,
            output_tokens=output,
            reasoning_tokens=min(usage.reasoning_tokens, output),
            audio_output_tokens=min(usage.audio_output_tokens, output),
            total=None,
        )
