"""Examine a whole answer: its usage, and whether it is an answer at all."""

from gateway.call import Call
from gateway.dialects.answer_errors import NoAnswer, no_answer


def examine(call: Call) -> NoAnswer | None:
    """Read the usage of the reply. What came instead of an answer, if that is so, is not charged
    unless the provider says that it used tokens."""
    reply = call.reply or b""
    call.complete = True
    call.report = call.dialect.usage_report(reply)
    if call.report is not None:
        return None
    found = no_answer(reply, content_field=call.dialect.content_field)
    if found and call.dialect.partial_usage(reply) is None:
        call.billable = False
    return found
