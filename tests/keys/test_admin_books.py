"""The books in the admin: read, followed up and down, never edited, and quick when long."""

from dataclasses import replace
from datetime import time
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from common import links
from keys import services as keys
from keys.models import AgentToken, Allocation, Charge, Price, Window
from keys.supply.pricing import Rates, Tier, Variant
from security.models import AuditEntry
from tests.actors import GRACE
from tests.keys.builders import FREE, PAID, add_key, allocate, hold, limit, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db
BOOKS = {
    "window": Window,
    "allocation": Allocation,
    "charge": Charge,
    "auditentry": AuditEntry,
    "price": Price,
}
# With what 100,000 rows are listed: a list, and its filter or search.
LISTS = [
    ("charge", ""),
    ("charge", "q=ses-4711"),
    ("charge", "settled=today"),
    ("charge", "allocation__id__exact=1"),
    ("allocation", ""),
    ("allocation", "q=ses-4711"),
    ("allocation", "which=live"),
    ("auditentry", ""),
    ("auditentry", "q=session:ses-4711"),
    ("window", ""),
    ("window", "period_is=all"),
]


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def spent(people):
    """An allocation of ada's on a paid key, rotated to another, with one settled charge."""
    add_key("nvidia-1", rates=PAID)
    add_key("nvidia-2", rates=PAID)
    allocation = allocate(tokens=20_000)
    report(allocation, 1_200)
    keys.rotate(allocation=allocation, reason="tidying", actor=GRACE, now=allocation.created_at)
    allocation.refresh_from_db()
    return allocation


def page(name, *args):
    """The address of an admin page of the app, or of the audit."""
    return reverse(f"admin:{table_of(name)}", args=args)


def table_of(name):
    """The name with that of its app before it."""
    return f"security_{name}" if name.startswith("auditentry") else f"keys_{name}"


@pytest.mark.parametrize("name", BOOKS)
def test_nothing_of_the_books_is_added_changed_or_deleted(staff, spent, name):
    pk = BOOKS[name].objects.first().pk
    assert staff.get(page(f"{name}_changelist")).status_code == 200
    assert staff.get(page(f"{name}_change", pk)).status_code == 200
    assert staff.get(page(f"{name}_add")).status_code == 403
    assert staff.post(page(f"{name}_change", pk), {"amount": "1"}).status_code == 403
    assert staff.post(page(f"{name}_delete", pk), {"post": "yes"}).status_code == 403


def test_an_allocation_leads_to_its_charges_decision_rotations_and_history(staff, spent):
    html = staff.get(page("allocation_change", spent.pk)).content.decode()
    assert f"/charges?allocation={spent.pk}" in html
    assert links.url("key", "nvidia-1") in html
    assert "the first name wins" in html
    assert "tidying" in html
    assert "18,800" in html
    assert page("costcentre_change", "org") in html
    assert page("auditentry_change", AuditEntry.objects.get(action="allocation.rotate").pk) in html


def test_no_page_shows_its_own_markup(staff, spent):
    report(spent, 15_000)
    for name, model in BOOKS.items():
        addresses = page(f"{name}_changelist"), page(f"{name}_change", model.objects.first().pk)
        for address in addresses:
            html = staff.get(address).content.decode()
            assert "&lt;" not in html, address


def test_a_charge_leads_back_to_its_allocation_and_price(staff, spent):
    charge = spent.charges.get()
    listed = staff.get(page("charge_changelist") + f"?allocation__id__exact={spent.pk}")
    assert page("charge_change", charge.pk) in listed.content.decode()
    html = staff.get(page("charge_change", charge.pk)).content.decode()
    assert page("allocation_change", spent.pk) in html
    assert page("price_change", charge.price_id) in html
    assert "1,200" in html


def test_a_price_shows_its_tiers_and_a_charge_the_providers_cost(staff, people):
    dear = Rates(input=Decimal("0.007"), output=Decimal("0.03"))
    search = {"web_search": Decimal(10)}
    variants = (
        Variant(replace(dear, tiers=(Tier(9_000, PAID),)), "priority"),
        Variant(PAID, starts=time(16, 30), ends=time(0, 30)),
        Variant(replace(PAID, request=Decimal(8), **search), search_kind="medium"),
    )
    rates = replace(PAID, tiers=(Tier(200_000, dear),), variants=variants, **search)
    api_key = add_key("openai-1", rates=rates)
    html = staff.get(page("price_change", api_key.price_id)).content.decode()
    assert "above 200,000 tokens: input 0.007" in html
    assert "priority: input 0.007" in html
    assert "priority, above 9,000 tokens: input 0.003" in html
    assert "standard from 16:30 to 00:30 UTC: input 0.003" in html
    assert "search medium: request 8, web search 10" in html
    charge = hold(allocate(), 500)
    usage = keys.Usage(input_tokens=100)
    ending = keys.Settlement(
        charge, "settled", usage, provider_cost=Decimal("0.0004"), provider_request_id="req-77"
    )
    keys.settle_many([ending], now=NOON)
    html = staff.get(page("charge_change", charge.pk)).content.decode()
    assert "0.000400000 (+0.000100000)" in html
    assert "req-77" in html


@pytest.mark.parametrize(
    ("model", "action"),
    [
        (Allocation, "allocation.rotate"),
        (Charge, "allocation.create"),
        (Window, "limit.set"),
        (AgentToken, "token.issue"),
        (Price, "price.set"),
    ],
)
def test_the_history_of_a_row_is_never_empty(staff, spent, model, action):
    keys.issue_token(spent.agent, actor=GRACE, now=NOON)
    keys.set_price("nvidia-1", rates=FREE, reason="a gift", actor=GRACE, now=NOON)
    row = model.objects.latest("pk")
    answer = staff.get(page(f"{model._meta.model_name}_history", row.pk), follow=True)
    assert action in set(answer.context["cl"].queryset.values_list("action", flat=True))


def test_history_shows_who_why_and_what_changed(staff, spent):
    html = staff.get(page("auditentry_changelist") + "?action=allocation.rotate").content.decode()
    assert "<del>nvidia-1</del>" in html
    assert "<ins>nvidia-2</ins>" in html
    assert "tidying" in html


def test_windows_of_now_are_listed_first_and_others_on_request(staff):
    api_key = add_key("nvidia-1", per_day=10)
    keys.remove_limit(api_key.limits.get(), reason="x", actor=GRACE, now=NOON)
    limit(api_key, 20)
    assert Window.objects.count() == 2
    for query, count in (("", 1), ("?period_is=closed", 1), ("?period_is=all", 2)):
        html = staff.get(page("window_changelist") + query).content.decode()
        assert html.count("butler-bar-free") == count


def test_windows_are_found_by_scope(staff):
    add_key("nvidia-1")
    add_key("nvidia-2")
    html = staff.get(page("window_changelist") + "?q=key:nvidia-2").content.decode()
    assert links.url("key", "nvidia-2") in html
    assert links.url("key", "nvidia-1") not in html


def test_live_allocations_and_those_that_need_another_key_are_filtered(staff, people):
    # The admin looks at the clock, so this one is live now.
    add_key("nvidia-1")
    live = allocate(tokens=1_000, ttl_seconds=86_400 * 30)
    Allocation.objects.update(expires_at="2999-01-01T00:00Z")
    listed = page("allocation_change", live.pk)
    assert listed in staff.get(page("allocation_changelist") + "?which=live").content.decode()
    rotation = page("allocation_changelist") + "?which=rotation"
    assert listed not in staff.get(rotation).content.decode()
    report(live, 800)
    assert listed in staff.get(rotation).content.decode()


# How many copies of the first row of each table are made, and what differs in copy `n`.
COPIES = {
    Allocation: (
        100_000,
        {
            "session_id": "'ses-' || n",
            "idempotency_key": "NULL",
            "status": "'completed'",
            "closed_at": "now()",
        },
    ),
    Charge: (
        100_000,
        {"allocation_id": "(SELECT id FROM keys_allocation WHERE session_id = 'ses-' || n)"},
    ),
    AuditEntry: (20_000, {"subjects": "ARRAY['session:ses-' || n]"}),
    Window: (20_000, {"closed_at": "now()", "committed": "0"}),
}


def many_rows():
    """Rows as in a fleet that has been at work for long, made by SQL in a few seconds."""
    with connection.cursor() as cursor:
        for model, (count, changed) in COPIES.items():
            table, first = model._meta.db_table, model.objects.order_by("pk").first().pk
            columns = [f.column for f in model._meta.local_fields if not f.primary_key]
            values = [changed.get(column, f"r.{column}") for column in columns]
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"  # noqa: S608
                f" FROM {table} r, generate_series(1, {count}) n WHERE r.id = {first}"
            )
            cursor.execute(f"ANALYZE {table}")


def test_lists_of_100_000_rows_are_read_by_index_in_few_queries(staff, spent):
    many_rows()
    for name, query in LISTS:
        address = page(f"{name}_changelist") + "?" + query
        with CaptureQueriesContext(connection) as asked:
            assert staff.get(address).status_code == 200
        assert len(asked) <= 8, f"{address}: {len(asked)} queries"
        read_by_index(asked, table_of(name), address)


def read_by_index(asked, table, address):
    """The rows of the page come by an index; nothing counts or sorts the whole table."""
    rows = [q["sql"] for q in asked if f'FROM "{table}"' in q["sql"] and "ORDER BY" in q["sql"]]
    assert rows, f"{address}: no query of {table}"
    with connection.cursor() as cursor:
        for sql in rows:
            cursor.execute("EXPLAIN " + sql)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Index" in plan, f"{address}:\n{plan}"
            assert f"Seq Scan on {table}" not in plan, f"{address}:\n{plan}"
    counts = [q["sql"] for q in asked if "COUNT(" in q["sql"] and table in q["sql"]]
    assert all("LIMIT 10000" in sql for sql in counts), counts
