"""Read an answer with which the provider refuses a call."""

from aiohttp import ClientResponse

from common import database_clock
from gateway import upstream
from gateway.answer_body import Lost
from gateway.call import Call
from gateway.provider_errors import ProviderError, read_answer


async def read_refusal(call: Call, response: ClientResponse) -> ProviderError:
    """What the refusal means, without the key's secret; by its status alone when its body does not
    arrive."""
    try:
        body = upstream.scrub(await call.answer_body.read(), call.upstream)
    except Lost:
        body = b""
    return read_answer(
        status=response.status, headers=response.headers, body=body, now=database_clock.now()
    )
