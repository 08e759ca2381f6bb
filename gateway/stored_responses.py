"""The earlier response that a request goes on from: one of its own session, on the same key."""

from typing import Any

from gateway.call import Call
from gateway.dialects.json_body import value_of
from gateway.refusals import ResponseNotFound
from keys.books.queries.charges import key_of_response

PREVIOUS_RESPONSE = "previous_response_id"


def previous_response(call: Call) -> Any:
    """What a request gives as the id of an earlier response; None if nothing."""
    fields = call.parameters.fields
    return value_of(fields, PREVIOUS_RESPONSE) or None if PREVIOUS_RESPONSE in fields else None


async def check_previous_response(call: Call) -> None:
    """Refuse the id of an earlier response that the call cannot use. Refusals: ResponseNotFound."""
    response_id = previous_response(call)
    if response_id is None:
        return
    key = None
    if isinstance(response_id, str):
        key = await call.runtime.threads.run(
            key_of_response, response_id, allocation_id=call.session.allocation_id
        )
    if key is None:
        raise ResponseNotFound(
            "This session has no finished response with that id. Send the earlier items in `input`"
            " instead.",
            field=PREVIOUS_RESPONSE,
        )
    if key != call.upstream.slug:
        raise ResponseNotFound(
            f"That response is stored at the account of API key {key}, and this call is made with"
            f" {call.upstream.slug}. Send the earlier items in `input` instead.",
            field=PREVIOUS_RESPONSE,
        )
