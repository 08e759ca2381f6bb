"""A provider that refuses a key: the client notices nothing, or waits as it was told."""

from pathlib import Path

import pytest

from tests.clients.blocks import Ran, run
from tests.clients.sessions import Session, assert_metered

KEYS = ["openai-1", "anthropic-1"]


class _Asked:
    def __init__(self, client: str, session: Session, url: str, home: Path) -> None:
        self.session = session
        self._client, self._url, self._home = client, url, home

    def __call__(self) -> Ran:
        where = {"BUTLER_URL": self._url, "BUTLER_TOKEN": self.session.token}
        return run(self._client, f"{self._client}-chat", home=self._home, **where)


@pytest.fixture(params=["openai", "anthropic"])
def asked(request, butler, lend, tmp_path):
    """`asked()`: what became of one call of `asked.session` with an SDK."""
    return _Asked(request.param, lend(request.param), butler.url, tmp_path)


@pytest.mark.parametrize("status", [401, 402, 429])
def test_another_key_takes_over_and_the_client_notices_nothing(status, asked, butler, sandbox):
    refusing = asked.session.allocation.api_key_id
    sandbox.fault(key=refusing, status=status)
    ran = asked()
    assert ran.code == 0, ran.said
    assert len(butler.requests) == 1
    # A probe of the key that is in doubt may have come in between.
    refused, answered = [row for row in sandbox.log() if row["route"] != "/v1/models"]
    assert refused["key"] == refusing != answered["key"]
    assert_metered(asked.session, [answered])


def test_keys_that_cool_are_waited_for(asked, butler, sandbox):
    for key in KEYS:
        sandbox.fault(key=key, status=429, retry_after=2)
    ran = asked()
    assert ran.code == 0, ran.said
    assert len(butler.requests) > 1
    assert_metered(asked.session, [row for row in sandbox.log() if row["status"] == 200])
