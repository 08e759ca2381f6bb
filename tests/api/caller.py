"""Programs that call the API: a caller with its token, and what a problem looks like."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from keys import services as keys
from keys.identity.queries.credentials import session_token
from keys.models import Agent
from tests.actors import ACTOR

ROOT = "/api/v1"


def token_of(agent: str, *scopes: str, now=None) -> str:
    """A fresh token of an agent, made a day ago."""
    made = now or timezone.now() - timedelta(days=1)
    agent = Agent.objects.get(pk=agent)
    terms = {"scopes": list(scopes)} if scopes else {}
    return keys.issue_token(agent, actor=ACTOR, now=made, **terms)[1]


class Caller:
    """Sends requests with one token; `caller.post("/allocations", tokens=5)`."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.client = Client()

    def headers(self, key: str | None) -> dict[str, str]:
        """The headers of a request."""
        return {
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
            **({"Idempotency-Key": key} if key is not None else {}),
        }

    def get(self, path: str, **query: Any):
        """GET below /api/v1."""
        return self.client.get(ROOT + path, query, headers=self.headers(None))

    def post(self, path: str, /, *, idempotency_key: str | None = None, **fields: Any):
        """POST the fields as JSON."""
        return self.client.post(
            ROOT + path,
            fields,
            content_type="application/json",
            headers=self.headers(idempotency_key),
        )


def session_caller(session_id: str) -> Caller:
    """Who has the session token."""
    return Caller(session_token(session_id))


def assert_problem(response, status: int, code: str) -> dict[str, Any]:
    """The answer is a problem with this status and code; its body."""
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response["Content-Type"] == "application/problem+json"
    assert body["type"].endswith(f"/api/v1/errors#{code}")
    assert body["status"] == status
    assert body["title"] and body["detail"]
    return body
