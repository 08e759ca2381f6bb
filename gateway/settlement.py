"""Settle a call: once, by the best evidence there is, however the call ended."""

import asyncio
import logging
from dataclasses import replace
from math import ceil
from time import time

from gateway import estimates, output_limits
from gateway.answer_body import AnswerBody
from gateway.call import Call
from gateway.counts.beginnings import Beginning, beginnings, sized_beginnings
from gateway.dialects import UsageReport, output_count
from gateway.dialects.cut_json import closed
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.service_tiers import service_tier_of
from gateway.repeated_input import is_sampled
from gateway.services.repeated_input import InputGroup
from keys.books.queries.spend import SLICE_SECONDS
from keys.models import Charge
from keys.services import Settlement, SettlementResult, Usage

logger = logging.getLogger(__name__)

# While this many times what a call held is left, the next calls fit without counts.
_PLENTY_LEFT = 3
# Larger bodies are not looked at for repeated input.
_SAMPLED_BYTES_MAX = 2_000_000
# Smaller ones take less time than a change of threads.
_AT_ONCE_BYTES_MAX = 8_000

_STATUS, _BASIS = Charge.Status, Charge.Basis


def settle(call: Call) -> asyncio.Future[SettlementResult]:
    """Settle or release the call's hold by what is known now; later calls return the same result.

    Unknown is not zero: what was sent and not refused is charged, by what the provider reported,
    else by what is most likely, else, if nothing arrived, by the whole hold. It is settled even if
    the caller stops waiting.
    """
    if call.settling is None:
        call.settling = call.runtime.run_detached(_settle(call))
    return asyncio.shield(call.settling)


async def _settle(call: Call) -> SettlementResult:
    try:
        ending = await _ending(call)
        ending.usage.check()
    except Exception:
        logger.exception("The usage of charge %s is not known.", call.hold.pk)
        ending = Settlement(call.hold, _STATUS.SETTLED, _whole_hold(call), _BASIS.ESTIMATED)
    call.charged = ending.status == _STATUS.SETTLED
    _remember_length(call, ending)
    result = await call.runtime.settle(ending)
    # While it is tried again, the most that the call can cost.
    return result or SettlementResult(False, call.hold.cost, left=0, used=0)


def _remember_length(call: Call, ending: Settlement) -> None:
    sessions = call.runtime.sessions
    if ending.basis != _BASIS.PROVIDER or sessions.learned_holds(call.session) == "never":
        return
    if output := ending.usage.output_tokens:
        each = -(-output // call.parameters.choices)
        call.runtime.answer_lengths.add(output_limits.asker(call), each)


async def _ending(call: Call) -> Settlement:
    ending = await _paid(call)
    if (searches := call.parameters.searches) and searches.kind and ending.usage.web_searches:
        ending = ending._replace(usage=replace(ending.usage, search_kind=searches.kind))
    return ending._replace(service_tier=_service_tier(call)) if ending.usage.tokens else ending


def _service_tier(call: Call) -> str:
    if call.meter:
        return call.meter.service_tier
    return "" if call.reply is None else service_tier_of(call.reply)


async def _paid(call: Call) -> Settlement:
    hold = call.hold
    if not call.billable:
        return Settlement(hold, _STATUS.RELEASED)
    if not call.dialect.spends:
        return Settlement(hold, _STATUS.SETTLED)
    if report := _usage_report(call):
        await _remember_input(call, report)
        _sample_input(call, report.usage)
        return Settlement(
            hold,
            _STATUS.SETTLED,
            report.usage,
            _BASIS.PROVIDER,
            report.provider_cost,
            report.provider_request_id,
        )
    # Counting long texts takes a while.
    usage = await asyncio.to_thread(_estimate, call)
    if usage is None:
        return Settlement(hold, _STATUS.RELEASED)
    return Settlement(hold, _STATUS.SETTLED, usage, _BASIS.ESTIMATED)


async def _remember_input(call: Call, report: UsageReport) -> None:
    """Remember how large the input was, if the session's next calls may need a tight bound."""
    tokens = report.usage.input_tokens
    if not tokens or call.hold.left > _PLENTY_LEFT * call.hold.tokens:
        return
    if digests := await asyncio.to_thread(beginnings, call):
        call.runtime.counts.add(digests[-1], tokens)


def _sample_input(call: Call, usage: Usage) -> None:
    """Look for repeated input if the call is of the sample; nothing waits for it."""
    quarter = int(time()) // SLICE_SECONDS
    is_small = call.request.body_size <= _SAMPLED_BYTES_MAX
    if is_sampled(call.session.agent, quarter) and call.dialect.conversation_field and is_small:
        group = InputGroup(quarter, call.session.agent, call.upstream.slug, call.model)
        if call.request.body_size <= _AT_ONCE_BYTES_MAX:
            # Not now, so that an error in it fails no settlement.
            asyncio.get_running_loop().call_soon(_add_small_input, call, group, usage)
        else:
            call.runtime.run_detached(_add_large_input(call, group, usage))


def _add_small_input(call: Call, group: InputGroup, usage: Usage) -> None:
    _add_input(call, group, usage, sized_beginnings(call))


async def _add_large_input(call: Call, group: InputGroup, usage: Usage) -> None:
    _add_input(call, group, usage, await asyncio.to_thread(sized_beginnings, call))


def _add_input(call: Call, group: InputGroup, usage: Usage, found: list[Beginning]) -> None:
    if found:
        call.runtime.repeated_input.add(group, found, usage=usage, came_at=call.came_at)


def _usage_report(call: Call) -> UsageReport | None:
    if meter := call.meter:
        # A usage that came before the end of a stream may not be all of it.
        return meter.report if call.complete or meter.ended else None
    return call.report


def _estimate(call: Call) -> Usage | None:
    """The usage that is most likely by what arrived; the whole hold if nothing did, or if the model
    reasoned unseen and Butler closed the stream.

    None: the provider gave up before it wrote anything, so it charges nothing.
    """
    meter = call.meter
    if meter and meter.report:
        return _with_input(meter.report.usage, call)
    if call.cut_unseen:
        return _whole_hold(call)
    usage = _stream_evidence(call) if meter else _reply_evidence(call)
    if usage is None:
        if meter and meter.error is not None:
            return None
        if not call.complete and not (meter and meter.ended):
            return _whole_hold(call)
        # An empty answer that ended in order.
        usage = Usage()
    return _clamp_to_hold(_with_input(usage, call), call)


def _whole_hold(call: Call) -> Usage:
    searches = call.parameters.searches
    return Usage(total=call.hold.tokens, web_searches=searches.most if searches else 0)


def _stream_evidence(call: Call) -> Usage | None:
    return call.meter.evidence(model=call.facts) if call.meter else None


def _reply_evidence(call: Call) -> Usage | None:
    if call.reply is not None:
        return _evidence_in(call.reply, call)
    return _cut_evidence(call.whole_body, call) if call.whole_body else None


def _cut_evidence(body: AnswerBody, call: Call) -> Usage | None:
    """What the beginning of an answer says of the whole, which the provider has written and will
    bill: as much more text as its header announces more bytes, but for what stands behind the text,
    which is about as long as what stands before it."""
    reply = closed(body.beginning)
    usage = _evidence_in(reply, call)
    if not usage.output_tokens:
        return None
    if call.dialect.partial_usage(reply):
        return usage
    size = output_count.text_size(reply, call.dialect.content_field)
    beside = len(body.beginning) - size
    whole_size = max(body.announced_size - 2 * beside, size)
    unseen = estimates.unseen_tokens(call.facts)
    output = ceil((usage.output_tokens - unseen) * whole_size / size) + unseen
    return replace(usage, output_tokens=min(output, call.output_max * call.parameters.choices))


def _evidence_in(reply: bytes, call: Call) -> Usage:
    usage = call.dialect.partial_usage(reply) or Usage()
    if usage.output_tokens:
        return usage
    output = call.dialect.count_output(reply, model=call.facts)
    return replace(usage, output_tokens=output)


def _with_input(usage: Usage, call: Call) -> Usage:
    """The usage with the most likely input, at most its bound, if the provider reported none."""
    if usage.input_tokens or usage.total is not None:
        return usage
    if call.input_counted is not None:
        return replace(usage, input_tokens=call.input_counted)
    try:
        tokens = estimates.input_tokens(call.parameters.fields, model=call.facts)
    except DECODE_ERRORS:
        tokens = call.input_max
    return replace(usage, input_tokens=min(tokens, call.input_max))


def _clamp_to_hold(usage: Usage, call: Call) -> Usage:
    """At most the hold: more than that the model was not allowed to write."""
    hold_tokens = call.hold.tokens
    if usage.tokens <= hold_tokens:
        return usage
    output = max(hold_tokens - usage.input_tokens, 0)
    images = min(usage.image_output_tokens, output)
    return replace(
        usage,
        output_tokens=output,
        reasoning_tokens=min(usage.reasoning_tokens, output),
        audio_output_tokens=min(usage.audio_output_tokens, output - images),
        image_output_tokens=images,
        total=None,
    )
