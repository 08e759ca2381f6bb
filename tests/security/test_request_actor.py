"""Who is behind a request, from which address, under which id."""

import pytest
from django.contrib.auth.models import User

from security.actor import Actor
from security.request_actor import META_REQUEST_ID, agent_of, client_address, person_of


@pytest.fixture
def request_of_grace(rf):
    """A request of grace's that has passed the middleware."""
    request = rf.get("/", REMOTE_ADDR="192.0.2.7", headers={"x-forwarded-for": "203.0.113.9"})
    request.user = User(username="grace")
    request.META[META_REQUEST_ID] = "req-1"
    return request


def test_a_person_is_who_has_signed_in(request_of_grace):
    wanted = Actor.person("grace", address="192.0.2.7", request_id="req-1")
    assert person_of(request_of_grace) == wanted


def test_an_agent_is_whose_token_came(request_of_grace):
    wanted = Actor.agent("ada", address="192.0.2.7", request_id="req-1")
    assert agent_of(request_of_grace, "ada") == wanted


def test_a_request_made_by_hand_has_no_id(rf):
    assert agent_of(rf.get("/"), "ada").request_id == ""


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded_for", "address"),
    [
        (False, "203.0.113.9", "192.0.2.7"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (True, "", "192.0.2.7"),
        (True, "9" * 100, "9" * 64),
    ],
)
def test_a_forwarded_address_is_believed_only_behind_a_proxy(
    settings, behind_proxy, forwarded_for, address
):
    settings.BEHIND_PROXY = behind_proxy
    assert client_address(peer="192.0.2.7", forwarded_for=forwarded_for) == address
