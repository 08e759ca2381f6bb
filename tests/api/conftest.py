"""Agents that speak to the API."""

import pytest

from tests.api.caller import Caller, token_of


@pytest.fixture
def ada(people):
    """Spends and reads."""
    return Caller(token_of("ada"))


@pytest.fixture
def bob(people):
    """Of ada's cost centre, no friend of her rows."""
    return Caller(token_of("bob"))


@pytest.fixture
def carol(people):
    """Operates."""
    return Caller(token_of("carol", "operate", "read", "spend"))
