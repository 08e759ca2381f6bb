"""What no token gives: rows of others, other scopes, filters and cursors that reach further.

Every route of the API is looked at, also those that come later.
"""

import itertools
import re

import pytest
from django.utils import timezone

from alerts.models import Alert
from api.urls import urlpatterns
from keys import services as keys
from keys.models import Agent
from tests.actors import ACTOR
from tests.api.caller import ROOT, Caller, session_caller, token_of
from tests.api.tasks import parts, submit
from tests.books import assert_books_balance
from tests.gate.approvals import budget_request
from tests.keys.builders import add_key, allocate, report

pytestmark = pytest.mark.django_db

OPEN = {"/schema", "/docs"}
# What a POST of the route needs beside an empty body.
FIELDS = {
    "/allocations/{session_id}/usage": {"total_tokens": 1},
    "/allocations/{session_id}/extension": {"ttl_seconds": 60},
    "/tasks/{task_id}/approval": {"sub_task_id": "a"},
    "/tasks/{task_id}/refusal": {"sub_task_id": "a", "reason": "test"},
    "/tasks/{task_id}/skip": {"sub_task_id": "a"},
    "/tasks/{task_id}/change": {"sub_task_id": "a", "description": "test"},
    "/tasks/{task_id}/budget": {"additional_budget": 1},
    "/tasks/{task_id}/priority": {"priority": "high"},
    "/keys/{key_id}/refusal": {"status": 401},
    "/findings": {"rule": "generic", "path": "a.py", "line": 1},
    "/freezes": {"scope": "agent:bob", "reason": "test"},
    "/freezes/{freeze_id}/thaw": {"reason": "test"},
    "/agents/{agent}/move": {"cost_centre": "sales", "reason": "test"},
    "/agents/{agent}/renaming": {"name": "Ada", "reason": "test"},
    "/cost-centres/{cost_centre}/closure": {"reason": "test"},
    "/cost-centres/{cost_centre}/move": {"parent": "sales", "reason": "test"},
    "/cost-centres/{cost_centre}/renaming": {"name": "Research", "reason": "test"},
    "/cost-centres/{cost_centre}/reopening": {"reason": "test"},
    "/keys/{key_id}/hiding": {"reason": "test"},
    "/keys/{key_id}/showing": {"reason": "test"},
    "/x402/payments/{payment_id}/receipt": {"payment_response": "{}"},
}
READ, SPEND, OPERATE = ("read", "operate"), ("spend",), ("operate",)
FINANCE = ("finance",)
SCOPES = {
    ("GET", "/me"): ("read", "spend", "operate", "finance"),
    ("GET", "/budget-requests"): ("read", "spend", "operate"),
    ("GET", "/budget-requests/{approval_id}"): ("read", "spend", "operate"),
    ("POST", "/estimates"): ("read", "spend"),
    ("POST", "/plans"): ("read", "spend"),
    ("POST", "/keys/{key_id}/refusal"): OPERATE,
    ("POST", "/alerts/{alert_id}/acknowledgement"): OPERATE,
    ("POST", "/alerts/{alert_id}/resolution"): OPERATE,
    ("POST", "/alerts/{alert_id}/snooze"): OPERATE,
    ("POST", "/tasks/{task_id}/approval"): OPERATE,
    ("POST", "/tasks/{task_id}/refusal"): OPERATE,
    ("POST", "/findings"): ("spend", "operate"),
    ("GET", "/freezes"): OPERATE,
    ("GET", "/treasury/accounts"): FINANCE,
    ("GET", "/treasury/transfers"): FINANCE,
    ("GET", "/treasury/purchases"): FINANCE,
    ("GET", "/treasury/credit"): FINANCE,
    ("GET", "/treasury/rail-statements"): FINANCE,
    ("GET", "/treasury/differences"): FINANCE,
    ("GET", "/treasury/purchases/{purchase_id}/receipts"): FINANCE,
    ("GET", "/treasury/receipts/{receipt_id}"): FINANCE,
    ("GET", "/treasury/exchange-rates"): FINANCE,
    ("GET", "/treasury/refunds"): FINANCE,
    ("GET", "/treasury/payouts"): FINANCE,
    ("GET", "/savings"): ("read", "operate", "finance"),
    ("GET", "/x402/payments/{payment_id}"): ("read", "spend"),
    ("POST", "/freezes"): OPERATE,
    ("POST", "/freezes/{freeze_id}/thaw"): OPERATE,
    ("POST", "/agents/{agent}/move"): OPERATE,
    ("POST", "/agents/{agent}/renaming"): OPERATE,
    ("POST", "/cost-centres/{cost_centre}/closure"): OPERATE,
    ("POST", "/cost-centres/{cost_centre}/move"): OPERATE,
    ("POST", "/cost-centres/{cost_centre}/renaming"): OPERATE,
    ("POST", "/cost-centres/{cost_centre}/reopening"): OPERATE,
    ("POST", "/keys/{key_id}/hiding"): OPERATE,
    ("POST", "/keys/{key_id}/showing"): OPERATE,
}
FOR_SESSIONS = {"/charges", "/charges/{charge_id}"}
OF_OPERATORS = {route for (_, route), scopes in SCOPES.items() if scopes == OPERATE}
OF_FINANCE = {route for (_, route), scopes in SCOPES.items() if scopes == FINANCE}
LISTS = ("/allocations", "/tasks", "/charges", "/alerts", "/approvals", "/history", "/savings")
QUERIES = [
    "agent=ada",
    "agent=bob&agent=ada",
    "agent[]=ada",
    "Agent=ada",
    "AGENT=ada",
    "agent=",
    "agent__in=ada",
    "bearer=ada",
    "session=",
    "cost_centre=research",
    "cost_centre=",
    "group_by=agent",
    "group_by=cost_centre",
    "scope=operate",
]
CURSORS = [
    "WzFd",  # [1]
    "Wy0xXQ",  # [-1]
    "WzEuNV0",  # [1.5]
    "W3RydWVd",  # [true]
    "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd",  # [2**63]
    "WyIxIE9SIDE9MSJd",  # ["1 OR 1=1"]
    "WyJcdTAwMDAiXQ",  # ["\0"]
    "WyI5OTk5LTEyLTMxVDIzOjU5OjU5KzAwOjAwIiwgIiIsIDBd",  # ["9999-12-31T23:59:59+00:00", "", 0]
    "W1tbW1tbW1tbW1tbW1tbW1tb",
    "\0",
    "' OR 1=1 --",
    "A" * 1001,
]


def routes():
    """Method and path of every operation that needs a token."""
    for pattern in urlpatterns[:-1]:
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern).removeprefix("v1"))
        view = pattern.callback.view_class
        for method in ("GET", "POST"):
            if hasattr(view, method.lower()) and path not in OPEN:
                yield method, path


@pytest.fixture
def rows(people, ada):
    """The values in paths that name something of ada's."""
    add_key("nvidia-1")
    now = timezone.now()
    allocation = allocate(tokens=1000, now=now)
    charge = report(allocation, 900, now=now)
    task = submit(ada, sub_tasks=parts("a", needs_approval=True)).json()
    frozen, _ = keys.freeze("agent:carol", reason="test", actor=ACTOR, now=now)
    return {
        "approval_id": budget_request(Agent.objects.get(pk="ada")).pk,
        "session_id": allocation.session_id,
        "charge_id": charge.pk,
        "task_id": task["id"],
        "key_id": "nvidia-1",
        "agent": "ada",
        "cost_centre": "research",
        "freeze_id": frozen.pk,
        "payment_id": 1,
        "purchase_id": 1,
        "receipt_id": 1,
        "alert_id": Alert.objects.get(session_id=allocation.session_id).pk,
    }


def send(caller, method, route, rows):
    """Status and code of the answer."""
    path = route.format(**rows)
    answer = caller.get(path) if method == "GET" else caller.post(path, **FIELDS.get(route, {}))
    return answer.status_code, answer.json().get("code")


def names_ada(answer):
    """Whether the answer has something of ada's; bob is of her cost centre."""
    return re.search(r"\bada\b|ses-", answer.content.decode())


def test_nothing_in_a_path_is_found_by_another_agent_or_session(rows, bob):
    everything = Caller(token_of("bob", "read", "spend"))
    session = session_caller(allocate("bob", now=timezone.now()).session_id)
    of_one_row = [(method, route) for method, route in routes() if "{" in route]
    assert len(of_one_row) > 15
    for method, route in of_one_row:
        if route in OF_OPERATORS | OF_FINANCE:
            continue
        assert send(everything, method, route, rows)[0] == 404, (method, route)
        assert send(session, method, route, rows) in (
            (404, f"{'charge' if 'charge' in route else 'allocation'}_not_found"),
            (403, "session_token_not_enough"),
        ), (method, route)
    assert_books_balance()


def test_an_operator_changes_no_session_and_no_task_of_others(rows):
    operator = Caller(token_of("carol", "read", "spend", "operate"))
    for method, route in routes():
        if method == "POST" and "{" in route and route not in OF_OPERATORS:
            assert send(operator, method, route, rows)[0] == 404, route


@pytest.mark.parametrize("scope", ["read", "spend", "operate", "finance"])
def test_a_scope_gives_its_own_operations_only(rows, scope):
    caller = Caller(token_of("ada", scope))
    for method, route in routes():
        enough = scope in SCOPES.get((method, route), READ if method == "GET" else SPEND)
        refused = send(caller, method, route, rows) == (403, "scope_missing")
        assert refused != enough, (method, route)


def test_a_session_token_gives_its_session_and_its_charges_only(rows):
    caller = session_caller(rows["session_id"])
    for method, route in routes():
        enough = "{session_id}" in route or route in FOR_SESSIONS
        refused = send(caller, method, route, rows) == (403, "session_token_not_enough")
        assert refused != enough, (method, route)


def test_no_filter_shows_rows_of_others(rows, bob):
    for query, route in itertools.product(QUERIES, (*LISTS, "/usage")):
        answer = bob.client.get(f"{ROOT}{route}?{query}", headers=bob.headers(None))
        assert answer.status_code in (200, 403, 422), route
        assert not names_ada(answer), (query, route)


def test_a_forged_cursor_shows_nothing_of_others(rows, bob):
    for cursor, route in itertools.product(CURSORS, LISTS):
        answer = bob.get(route, cursor=cursor)
        assert answer.status_code in (200, 400, 422), (route, cursor)
        assert not names_ada(answer), (route, cursor)
