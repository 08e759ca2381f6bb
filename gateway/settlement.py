"""Settle a call: once, by the best evidence there is, however the call ended."""

import asyncio
from dataclasses import replace

from gateway.call import Call
from gateway.dialects import UsageReport
from keys.models import Charge
from keys.services import Settlement, SettlementResult, Usage

_STATUS, _BASIS = Charge.Status, Charge.Basis


def settle(call: Call) -> asyncio.Future[SettlementResult]:
    """Settle or release the call's hold by what is known now; later calls return the same result.

    Unknown is not zero: what was sent and not refused is charged, by what the provider reported,
    else by what was counted, else by the whole hold. It is settled even if the caller stops
    waiting.
    """
    if call.settling is None:
        call.settling = call.runtime.run_detached(_settle(call))
    return asyncio.shield(call.settling)


async def _settle(call: Call) -> SettlementResult:
    try:
        return await call.runtime.settle(_ending(call))
    finally:
        call.runtime.running_charges.discard(call.hold.pk)


def _ending(call: Call) -> Settlement:
    hold = call.hold
    if not call.billable:
        return Settlement(hold, _STATUS.RELEASED)
    if not call.dialect.spends:
        return Settlement(hold, _STATUS.SETTLED)
    if report := _usage_report(call):
        return Settlement(
            hold,
            _STATUS.SETTLED,
            report.usage,
            _BASIS.PROVIDER,
            report.provider_cost,
            report.provider_request_id,
        )
    usage = _count_usage(call) or Usage(total=hold.tokens)
    return Settlement(hold, _STATUS.SETTLED, usage, _BASIS.ESTIMATED)


def _usage_report(call: Call) -> UsageReport | None:
    if meter := call.meter:
        # A usage that came before the end of a stream may not be all of it.
        return meter.report if call.complete or meter.ended else None
    return call.dialect.usage_report(call.reply) if call.reply is not None else None


def _count_usage(call: Call) -> Usage | None:
    """Usage counted from what arrived, when the provider reported none; None if nothing arrived."""
    model, input_max = call.upstream.model, call.input_max
    if meter := call.meter:
        if meter.report:
            return _with_input(meter.report.usage, input_max)
        usage = meter.evidence(model=model)
        return _clamp_to_hold(_with_input(usage, input_max), call) if usage else None
    output = call.dialect.count_output(call.reply, model=model) if call.reply else 0
    if not output:
        return None
    return _clamp_to_hold(Usage(input_tokens=input_max, output_tokens=output), call)


def _with_input(usage: Usage, input_max: int) -> Usage:
    """The usage, with the bound as its input when the provider reported no input."""
    if usage.input_tokens or usage.total is not None:
        return usage
    return Usage(input_tokens=input_max, output_tokens=usage.output_tokens)


def _clamp_to_hold(usage: Usage, call: Call) -> Usage:
    """At most the hold: without a public tokenizer bytes are counted, which are more than the
    tokens that the model was allowed to write."""
    hold_tokens = call.hold.tokens
    if usage.tokens <= hold_tokens:
        return usage
    output = max(hold_tokens - usage.input_tokens, 0)
    return replace(
        usage,
        output_tokens=output,
        reasoning_tokens=min(usage.reasoning_tokens, output),
        audio_output_tokens=min(usage.audio_output_tokens, output),
        total=None,
    )
