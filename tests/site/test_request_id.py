"""Every answer of Django has the id of its request."""

import re

import pytest

NEW_ID = re.compile(r"req_[0-9a-f]{24}")


def answered_id(client, **headers):
    """The id in the answer to a request with these headers."""
    return client.get("/api/v1/errors", headers=headers)["X-Request-Id"]


def test_a_request_without_an_id_gets_a_new_one(client):
    first, second = answered_id(client), answered_id(client)
    assert NEW_ID.fullmatch(first) and NEW_ID.fullmatch(second)
    assert first != second


@pytest.mark.parametrize("given", ["a", "Trace.7_b-c", "x" * 64])
def test_the_id_that_a_client_gives_is_kept(client, given):
    assert answered_id(client, x_request_id=given) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "a\tb", "é", "<b>", "a,b"])
def test_what_is_no_id_is_replaced(client, given):
    assert NEW_ID.fullmatch(answered_id(client, x_request_id=given))
