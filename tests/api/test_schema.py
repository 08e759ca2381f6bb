"""The schema: valid, complete, served."""

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

PATHS = {
    "/api/v1/allocations": {"get", "post"},
    "/api/v1/allocations/{session_id}": {"get"},
    "/api/v1/allocations/{session_id}/usage": {"post"},
    "/api/v1/allocations/{session_id}/rotation": {"post"},
    "/api/v1/allocations/{session_id}/completion": {"post"},
    "/api/v1/allocations/{session_id}/failure": {"post"},
    "/api/v1/allocations/{session_id}/extension": {"post"},
    "/api/v1/allocations/{session_id}/decision": {"get"},
    "/api/v1/allocations/{session_id}/monitor": {"get"},
    "/api/v1/tasks": {"get", "post"},
    "/api/v1/tasks/{task_id}": {"get"},
    "/api/v1/tasks/{task_id}/sub_tasks": {"get"},
    "/api/v1/tasks/{task_id}/results": {"get"},
    "/api/v1/tasks/{task_id}/cancellation": {"post"},
    "/api/v1/tasks/{task_id}/pause": {"post"},
    "/api/v1/tasks/{task_id}/resumption": {"post"},
    "/api/v1/tasks/{task_id}/retry": {"post"},
    "/api/v1/tasks/{task_id}/approval": {"post"},
    "/api/v1/tasks/{task_id}/refusal": {"post"},
    "/api/v1/tasks/{task_id}/budget": {"post"},
    "/api/v1/tasks/{task_id}/priority": {"post"},
    "/api/v1/tasks/{task_id}/skip": {"post"},
    "/api/v1/tasks/{task_id}/change": {"post"},
    "/api/v1/tasks/{task_id}/result": {"get"},
    "/api/v1/plans": {"post"},
    "/api/v1/charges": {"get"},
    "/api/v1/charges/{charge_id}": {"get"},
    "/api/v1/estimates": {"post"},
    "/api/v1/keys": {"get"},
    "/api/v1/keys/{key_id}/refusal": {"post"},
    "/api/v1/status": {"get"},
    "/api/v1/me": {"get"},
    "/api/v1/alerts": {"get"},
    "/api/v1/approvals": {"get"},
    "/api/v1/budget-requests": {"get", "post"},
    "/api/v1/budget-requests/{approval_id}": {"get"},
    "/api/v1/budget-requests/{approval_id}/withdrawal": {"post"},
    "/api/v1/findings": {"post"},
    "/api/v1/freezes": {"get", "post"},
    "/api/v1/freezes/{freeze_id}/thaw": {"post"},
    "/api/v1/agents/{agent}/move": {"post"},
    "/api/v1/agents/{agent}/renaming": {"post"},
    "/api/v1/cost-centres/{cost_centre}/closure": {"post"},
    "/api/v1/cost-centres/{cost_centre}/move": {"post"},
    "/api/v1/cost-centres/{cost_centre}/renaming": {"post"},
    "/api/v1/cost-centres/{cost_centre}/reopening": {"post"},
    "/api/v1/keys/{key_id}/hiding": {"post"},
    "/api/v1/keys/{key_id}/showing": {"post"},
    "/api/v1/alerts/{alert_id}/acknowledgement": {"post"},
    "/api/v1/alerts/{alert_id}/resolution": {"post"},
    "/api/v1/alerts/{alert_id}/snooze": {"post"},
    "/api/v1/history": {"get"},
    "/api/v1/usage": {"get"},
    "/api/v1/treasury/accounts": {"get"},
    "/api/v1/treasury/transfers": {"get"},
    "/api/v1/treasury/purchases": {"get"},
    "/api/v1/treasury/credit": {"get"},
    "/api/v1/treasury/rail-statements": {"get"},
    "/api/v1/treasury/differences": {"get"},
    "/api/v1/treasury/purchases/{purchase_id}/receipts": {"get"},
    "/api/v1/treasury/receipts/{receipt_id}": {"get"},
    "/api/v1/treasury/exchange-rates": {"get"},
    "/api/v1/treasury/refunds": {"get"},
    "/api/v1/treasury/payouts": {"get"},
    "/api/v1/savings": {"get"},
    "/api/v1/x402/payments": {"post"},
    "/api/v1/x402/payments/{payment_id}": {"get"},
    "/api/v1/x402/payments/{payment_id}/receipt": {"post"},
}


@pytest.fixture(scope="module")
def schema():
    """As it is served."""
    return SchemaGenerator().get_schema(public=True)


def test_the_schema_is_valid_and_warns_of_nothing(tmp_path):
    file = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    assert file.read_text().startswith("openapi: 3.1")


def test_every_path_has_the_name_that_was_promised(schema):
    found = {path: set(item) for path, item in schema["paths"].items()}
    assert found == PATHS


def test_every_operation_says_its_token_its_problems_and_its_idempotency_key(schema):
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            assert operation["security"] and operation["summary"], path
            for status, response in operation["responses"].items():
                media = set(response["content"])
                wanted = "application/problem+json" if status >= "400" else "application/json"
                assert media == {wanted}, (path, status)
            named = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Idempotency-Key" in named) == (method == "post"), path


def test_the_schema_and_its_pages_are_open_and_offline(client):
    schema = client.get("/api/v1/schema")
    assert schema.json()["openapi"] == "3.1.0"
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    assert "drf_spectacular_sidecar" in page.text
    assert "cdn" not in page.text
