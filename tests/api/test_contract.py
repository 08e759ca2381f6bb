"""The API keeps the contract of its schema for any request."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from alerts import services as alerts
from keys import services as keys
from keys.alert_kinds import KEY_COOLING
from keys.models import Agent, AgentToken
from orchestration import services as orchestration
from tests.actors import ACTOR
from tests.api.caller import token_of
from tests.gate.approvals import budget_request
from tests.keys.builders import PAID, add_key, allocate, report
from tests.moments import NOON

schema = schemathesis.openapi.from_wsgi("/api/v1/schema", get_wsgi_application())


@pytest.fixture
def known(people):
    """A fleet with a bit of everything: the names that paths can hold."""
    add_key("nvidia-1", priority=1)
    add_key("openai-1", provider="openai", rates=PAID)
    allocation = allocate(tokens=1000)
    charge = report(allocation, 100)
    about = {"kind": KEY_COOLING, "dedup_key": "test", "title": "a test"}
    alert, _ = alerts.raise_alert(**about, now=NOON)
    given = ({"description": "a"}, {"description": "b", "depends_on": ["1"]})
    task_request = orchestration.TaskRequest(name="test", sub_tasks=given, total_budget=10_000)
    task, _ = orchestration.submit(agent="ada", request=task_request, now=timezone.now())
    frozen, _ = keys.freeze("agent:bob", reason="test", actor=ACTOR, now=NOON)
    return {
        "approval_id": budget_request(Agent.objects.get(pk="ada")).pk,
        "session_id": allocation.session_id,
        "key_id": "nvidia-1",
        "alert_id": alert.pk,
        "charge_id": charge.pk,
        "task_id": task.pk,
        "freeze_id": frozen.pk,
        "agent": "carol",
        "cost_centre": "sales",
    }


@pytest.fixture
def token(known):
    """Of an agent that may do everything."""
    return token_of("ada", *AgentToken.Scope.values)


@pytest.fixture(autouse=True)
def one_connection():
    """The requests run in the transaction of the test, as those of Django's own client do."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
@schema.parametrize()
@settings(
    max_examples=7,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_no_request_breaks_the_contract(case, token, known):
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        # Names that exist, where the schema allows any.
        case.path_parameters |= {n: v for n, v in known.items() if n in case.path_parameters}
    response = case.call(headers={"Authorization": f"Bearer {token}"})
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
            negative_data_rejection,
            unsupported_method,
        ],
    )
