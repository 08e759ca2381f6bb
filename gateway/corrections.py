"""Send a request again that the provider refused for a maximum or for a field it does not know.

Only what Butler can mend without changing what the client asked for: a smaller maximum that the
provider named, the other field for the maximum, and no `stream_options`. The call keeps its hold.
What helped is remembered (`learned`).
"""

from typing import Any

from aiohttp import ClientResponse

from gateway import output_limits
from gateway.call import Call
from gateway.provider_errors import ProviderError
from gateway.refused_answers import read_refusal

# One for the field of the maximum, one for `stream_options`, one for the size of the maximum.
_CORRECTIONS_MAX = 3
_PAYMENT_REQUIRED = 402
# Fireworks: only streams may be long.
_WITHOUT_STREAM = "too_large_without_stream"
_STREAM_OPTIONS = "stream_options"
# The two names of one field of chat requests.
_OTHER_MAXIMUM = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}


class Corrections:
    """The corrections of one call, while nothing of an answer has reached the client."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._made = 0
        # What to remember if it helps.
        self._lessons: dict[str, Any] = {}

    async def correct(self, response: ClientResponse) -> bool:
        """Whether `response` is a refusal and the call was changed so that it can be sent again."""
        if response.status < 300:
            if self._lessons:
                self._call.runtime.lessons.add(
                    self._call.upstream, self._call.model, **self._lessons
                )
            return False
        if self._made >= _CORRECTIONS_MAX or not self._call.output_max:
            return False
        error = await read_refusal(self._call, response)
        corrected = self._correct_fields(error) or self._correct_maximum(error)
        self._made += corrected
        if corrected:
            response.release()
        return corrected

    def _correct_fields(self, error: ProviderError) -> bool:
        name = self._refused_field(error)
        parameters = self._call.parameters
        known = parameters.refused_fields
        if name is None or name in known or _OTHER_MAXIMUM.get(name) in known:
            return False
        parameters.refused_fields = known | {name}
        if name != _STREAM_OPTIONS or not self._is_clients_own():
            self._lessons["refused_fields"] = parameters.refused_fields
        return True

    def _refused_field(self, error: ProviderError) -> str | None:
        """The field that the provider refuses, if it can be left out or renamed."""
        sent = self._call.dialect.replaceable_fields(self._call.parameters)
        if error.unknown_field:
            # The name may be that of an inner field.
            name = error.unknown_field.removeprefix("body.").split(".")[0]
            return name if name in sent else None
        if error.kind == "unknown_field" and _STREAM_OPTIONS in sent and not self._is_clients_own():
            # No field is named: it is probably the one that only Butler sent.
            return _STREAM_OPTIONS
        return None

    def _is_clients_own(self) -> bool:
        """Whether the client sent `stream_options`, which may have been wrong."""
        return _STREAM_OPTIONS in self._call.parameters.fields

    def _correct_maximum(self, error: ProviderError) -> bool:
        call = self._call
        room = self._room(error)
        if room is None or not call.parameters.output_tokens_least <= room:
            return False
        call.output_max = room
        if error.status != _PAYMENT_REQUIRED and error.kind != _WITHOUT_STREAM:
            # What the account can afford changes, and a stream may be longer than a whole answer;
            # what the model can write stays.
            learned = {
                "output_tokens_max": error.affordable_output_tokens and room,
                "context_tokens": error.context_tokens,
            }
            self._lessons |= {name: value for name, value in learned.items() if value}
        return True

    def _room(self, error: ProviderError) -> int | None:
        """The smaller maximum that follows from what the provider said."""
        # A provider that repeats its number means less than that.
        rooms = [self._call.output_max - 1]
        if error.affordable_output_tokens:
            rooms.append(error.affordable_output_tokens)
        if error.context_tokens:
            input_tokens = error.input_tokens
            rooms.append(
                output_limits.room_in_context(error.context_tokens, self._call.input_max)
                if input_tokens is None
                else error.context_tokens - input_tokens
            )
        return min(rooms) if len(rooms) > 1 else None
