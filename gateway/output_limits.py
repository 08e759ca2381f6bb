"""How long an answer may be: what a model can write, and what its context leaves room for."""

from typing import NamedTuple

from django.conf import settings

from gateway.answer_lengths import Asker
from gateway.call import Call

# The bound of the input may be several times its tokens, so that much of the context is never
# taken for input. If it really is, the provider says so and the call is corrected.
_CONTEXT_PART_FOR_OUTPUT = 4


def output_tokens(call: Call) -> tuple[int, int]:
    """Tokens of one answer: the most to hold, and the fewest worth a call."""
    parameters = call.parameters
    learned = call.runtime.lessons.of(call.upstream, call.model)
    most = parameters.output_tokens_max
    if most is None:
        most = max(_default(call), parameters.output_tokens_least)
    if learned.output_tokens_max is not None:
        most = min(most, max(learned.output_tokens_max, parameters.output_tokens_least))
    return most, min(most, max(parameters.output_tokens_least, settings.OUTPUT_TOKENS_MIN))


class TokensToHold(NamedTuple):
    """The fewest and the most tokens to hold for a call, input and all its answers."""

    least: int
    most: int


def tokens_to_hold(call: Call, *, output_least: int = 0) -> TokensToHold:
    """What a call needs by the bound of its input so far. `output_least`: the fewest tokens of an
    answer, if it may have as many."""
    most, least = output_tokens(call)
    choices = call.parameters.choices
    least = max(least, min(output_least, most))
    return TokensToHold(call.input_max + least * choices, call.input_max + most * choices)


def learned_holds(call: Call) -> tuple[TokensToHold, ...]:
    """What to try to hold first: all of it, else what is likely after earlier answers (see
    `AnswerLengths`). Empty where nothing is known, or holds must not be smaller."""
    learned = call.runtime.sessions.learned_holds(call.session)
    parameters = call.parameters
    if learned == "never" or (learned == "no_maximum" and parameters.output_tokens_max):
        return ()
    answer = call.runtime.answer_lengths.likely(asker(call))
    if answer is None:
        return ()
    least, most = tokens_to_hold(call)
    likely = max(call.input_max + answer * parameters.choices, least)
    return (TokensToHold(most, most), TokensToHold(least, likely)) if likely < most else ()


def asker(call: Call) -> Asker:
    """Whose answers are like that of the call."""
    return Asker(call.session.allocation_id, call.session.agent, call.model)


def room_in_context(context_tokens: int, input_max: int) -> int:
    """The most tokens of an answer beside an input of at most `input_max` tokens."""
    return max(context_tokens - input_max, context_tokens // _CONTEXT_PART_FOR_OUTPUT)


def _default(call: Call) -> int:
    """The maximum of a client that set none: never more than the model can take."""
    limits = call.choice.served
    context = (
        call.runtime.lessons.of(call.upstream, call.model).context_tokens or limits.context_tokens
    )
    most = [settings.OUTPUT_TOKENS_DEFAULT]
    if limits.output_tokens_max is not None:
        most.append(limits.output_tokens_max)
    if context is not None:
        most.append(room_in_context(context, call.input_max))
    return min(most)
