"""Headers of a provider's answer that the client gets, and those of Butler beside them."""

import pytest

from tests.gateway.server import lend, running_gateway, supply
from tests.gateway.strict_provider import strict_provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("name", "value", "passed_as"),
    [
        ("x-request-id", "req_openai_1", "x-provider-request-id"),
        ("request-id", "req_anthropic_1", "x-provider-request-id"),
        ("X-Request-ID", "req_2", "x-provider-request-id"),
        ("retry-after-ms", "1500", "retry-after-ms"),
        ("x-ratelimit-remaining-tokens", "149984", "x-ratelimit-remaining-tokens"),
        ("X-RateLimit-Reset-Requests", "1m30s", "x-ratelimit-reset-requests"),
        ("anthropic-ratelimit-requests-remaining", "49", "anthropic-ratelimit-requests-remaining"),
        ("openai-processing-ms", "12", "openai-processing-ms"),
        ("openai-organization", "acme-organization", None),
        ("set-cookie", "a=b", None),
        ("x-amzn-requestid", "amazon-1", None),
    ],
)
def test_a_header_of_the_provider_is_passed_or_not(name, value, passed_as, stream):
    with strict_provider(lambda request: None) as provider, running_gateway() as running:
        provider.headers[name] = value
        supply("key-1", base_url=provider.base_url, model="a-model")
        answer = lend(running.url).call(stream=stream)
    assert answer.status == 200
    if passed_as is None:
        assert value not in answer.headers.values()
    else:
        assert answer.headers[passed_as] == value
    own = answer.headers["x-butler-request-id"]
    assert answer.headers["x-request-id"] == answer.headers["request-id"] == own


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_has_them_too(status):
    refusal = (status, {"error": {"message": "no"}})
    with strict_provider(lambda request: refusal) as provider, running_gateway() as running:
        provider.headers.update({"x-request-id": "req_9", "retry-after-ms": "20"})
        supply("key-1", base_url=provider.base_url, model="a-model")
        answer = lend(running.url).call()
    assert answer.status == status
    assert answer.headers["x-provider-request-id"] == "req_9"
    assert answer.headers["retry-after-ms"] == "20"


def test_a_stream_is_not_to_be_buffered_on_the_way():
    with strict_provider(lambda request: None) as provider, running_gateway() as running:
        supply("key-1", base_url=provider.base_url, model="a-model")
        session = lend(running.url)
        assert session.call(stream=True).headers["x-accel-buffering"] == "no"
        assert "x-accel-buffering" not in session.call().headers
