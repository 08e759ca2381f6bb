"""The pages of agents: what they spend, what is left, and what people may do to one."""

import csv
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from gate.models import CentreBinding
from keys import services as keys
from keys.models import Agent, AgentToken, Freeze, Limit
from orchestration import services as tasks
from security.models import Approval, ApprovalPolicy, AuditEntry
from tests.actors import GRACE
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, limit, report
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
QUERIES, QUERIES_OF_ONE = 14, 20


@pytest.fixture
def fleet(people, now):
    """Ada spends under a limit and has a token; bob does nothing."""
    add_key("nvidia-1", per_day=None, rates=PAID)
    limit(agent("ada"), 1_000_000, now=now)
    allocation = allocate(tokens=100_000, now=now, auto_rotate=False)
    report(allocation, 80_000, now=now)
    keys.issue_token(agent("ada"), days=10, actor=GRACE, now=now)
    return allocation


def agent(slug):
    return Agent.objects.get(pk=slug)


def html_of(client, path="/agents", **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def rows_of(client, **query):
    rows = client.get("/agents", query).context["table"].rows
    return {row["agent"].value: row for row in rows}


def act(client, name, slug="ada", **asked):
    return client.post(f"/agents/{slug}?act={name}", {"reason": "as agreed", **asked}, follow=True)


def signed_in(name, *, role=None, of=None):
    """A client of a person with one role, who gave a password just now."""
    person = get_user_model().objects.create_user(name, is_staff=True)
    if role:
        person.groups.add(Group.objects.get(name=role))
    if of:
        CentreBinding.objects.create(person=person, cost_centre_id=of)
    client = Client()
    client.force_login(person)
    return confirm(client, person)


def test_an_agent_has_its_spend_budget_running_work_last_call_and_tokens(staff, fleet, now):
    ada = rows_of(staff)["ada"]
    assert (ada["cost"].value, ada["status"], ada["live"]) == (Decimal("0.24"), "active", 1)
    assert ada["limits"].value == "80k of 1M tokens a day, 20k committed"
    assert ada["used"] == 10
    assert now - timedelta(minutes=16) <= ada["last_call"] <= now
    assert ada["expires_at"].value == now + timedelta(days=10)
    assert ada["cost_centre"].value == "research"
    bob = rows_of(staff)["bob"]
    assert (bob["used"], bob["last_call"], bob["expires_at"], bob["live"]) == (None, None, None, 0)


def test_the_sum_is_that_of_the_rows(staff, fleet):
    table = staff.get("/agents").context["table"]
    assert table.totals == {"cost": sum(row["cost"].value for row in table.rows), "live": 1}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"cost_centre": "research"}, {"ada", "bob"}),
        ({"cost_centre": "nowhere"}, set()),
        ({"tokens": "soon"}, {"ada"}),
        ({"status": "frozen"}, {"bob"}),
        ({"status": "off"}, {"carol"}),
        ({"status": "active"}, {"ada"}),
        (
            {"status": "no such", "tokens": "x", "sort": "-no", "after": "9"},
            {"ada", "bob", "carol"},
        ),
    ],
)
def test_the_list_is_as_the_query_asks_and_never_fails(staff, fleet, now, query, expected):
    keys.freeze("agent:bob", reason="leak", actor=GRACE, now=now)
    keys.disable_agent(agent("carol"), reason="left", actor=GRACE, now=now)
    assert rows_of(staff, **query).keys() == expected


def test_an_agent_is_frozen_with_its_cost_centre(staff, fleet, now):
    keys.freeze("centre:research", reason="audit", actor=GRACE, now=now)
    assert rows_of(staff, status="frozen").keys() == {"ada", "bob"}
    html = html_of(staff, "/agents/ada")
    assert "centre:research is frozen by grace since" in html
    assert "act=freeze" in html


def test_rows_without_a_value_are_last_in_both_directions(staff, fleet):
    for sort in ("used", "-used"):
        assert list(rows_of(staff, sort=sort))[0] == "ada"


def test_the_file_has_the_rows_of_the_page(staff, fleet):
    answer = staff.get("/agents", {"format": "csv", "status": "active"})
    lines = list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))
    assert lines[0][:3] == ["Agent", "Cost centre", "Status"]
    assert [line[0] for line in lines[1:4]] == list(rows_of(staff))


def test_many_agents_take_as_many_queries_as_few(staff, fleet, now, django_assert_num_queries):
    html_of(staff)
    with django_assert_num_queries(QUERIES):
        html_of(staff)
    for number in range(60):
        keys.create_agent(f"many-{number}", cost_centre="research", actor=GRACE, now=now)
    with django_assert_num_queries(QUERIES):
        html_of(staff)


def test_the_page_of_an_agent_has_all_that_is_known_of_it(
    staff, fleet, now, django_assert_max_num_queries
):
    parts = ({"description": "Read"},)
    request = tasks.TaskRequest(total_budget=50_000, sub_tasks=parts, name="Launch")
    tasks.submit(agent="ada", request=request, now=now)
    html_of(staff, "/agents/ada")
    with django_assert_max_num_queries(QUERIES_OF_ONE):
        html = html_of(staff, "/agents/ada")
    for words in ("Spend by model", "$0.24", fleet.session_id[:13], "Launch", "Limit: set"):
        assert words in html
    assert AgentToken.objects.get().prefix in html
    assert "/charges?agent=ada&settled=month" in html or "/charges?agent=ada&range=month" in html


def test_an_unknown_agent_is_not_found(staff, fleet):
    assert staff.get("/agents/nobody").status_code == 404


def test_the_tables_of_an_agent_are_files_for_who_may_see_their_rows(staff, fleet):
    for name, count in (("allocations", 1), ("tokens", 1), ("tasks", 0)):
        query = {"format": "csv", "table": f"agent-{name}"}
        answer = staff.get("/agents/ada", query)
        lines = list(csv.reader(b"".join(answer.streaming_content).decode().splitlines()))
        assert lines.index([]) - 1 == count, name
    client = signed_in("vera", role="viewer")
    query["table"] = "agent-tokens"
    assert client.get("/agents/ada", query).status_code == 403


def test_search_and_links_lead_to_the_page(staff, fleet):
    assert 'href="/agents/ada"' in html_of(staff, "/search", q="ada")


def test_a_token_is_shown_once_and_never_again(staff, fleet):
    answer = act(staff, "token", scopes=["read"], days="30")
    [token] = re.findall(r"bt_[\w-]+", answer.content.decode())[:1]
    assert "no-store" in answer["Cache-Control"]
    row = AgentToken.objects.latest("pk")
    assert token.startswith(row.prefix)
    assert row.scopes == ["read"]
    assert len(token) > len(row.prefix) + 10
    assert token not in html_of(staff, "/agents/ada")
    entry = AuditEntry.objects.filter(action="token.issue").first()
    assert (entry.reason, entry.actor_name) == ("as agreed", "grace")
    assert token not in str(entry.after)


def test_a_third_token_and_wrong_days_are_refused_in_the_dialog(staff, fleet):
    assert (
        "less than or equal to 3650"
        in act(staff, "token", scopes=["read"], days="9999").content.decode()
    )
    act(staff, "token", scopes=["read"], days="30")
    html = unescape(act(staff, "token", scopes=["read"], days="30").content.decode())
    assert "<dialog" in html
    assert AgentToken.objects.count() == 2


def test_a_token_is_revoked_with_a_reason(staff, fleet):
    token = AgentToken.objects.get()
    html = act(staff, "revoke", token=token.pk).content.decode()
    assert "stopped working" in html
    token.refresh_from_db()
    assert token.revoked_at
    assert AuditEntry.objects.get(action="token.revoke").reason == "as agreed"


def test_a_token_of_another_agent_is_no_choice(staff, fleet, now):
    other, _ = keys.issue_token(agent("carol"), actor=GRACE, now=now)
    assert "Select a valid choice" in act(staff, "revoke", token=other.pk).content.decode()
    other.refresh_from_db()
    assert other.revoked_at is None


def test_who_froze_an_agent_cannot_thaw_it_and_another_person_can(fleet, now):
    olga, adam = signed_in("olga", role="operator"), signed_in("adam", role="operator")
    assert "ada is frozen." in act(olga, "freeze", mode="cut").content.decode()
    freeze = Freeze.objects.get()
    html = unescape(act(olga, "thaw", freeze=freeze.pk).content.decode())
    assert "<dialog" in html
    assert Freeze.objects.get().thawed_at is None
    assert "has ended" in act(adam, "thaw", freeze=freeze.pk).content.decode()
    assert Freeze.objects.get().thawed_by == "adam"
    assert_books_balance()


def test_to_thaw_a_person_confirms_first(fleet, now, client):
    keys.freeze("agent:ada", reason="leak", actor=GRACE, now=now)
    person = get_user_model().objects.create_superuser("olga", password="x")
    client.force_login(person)
    confirm(client, person, seconds_ago=100_000)
    for answer in (
        client.get("/agents/ada?act=thaw"),
        client.post("/agents/ada?act=thaw", {"freeze": Freeze.objects.get().pk, "reason": "ok"}),
    ):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/confirm/?next=%2Fagents%2Fada%3Fact%3Dthaw")
    assert Freeze.objects.get().thawed_at is None


def test_a_limit_is_changed_and_one_is_added(staff, fleet):
    row = Limit.objects.get(agent="ada")
    act(staff, "limit", limit=row.pk, amount="90000")
    row.refresh_from_db()
    assert row.amount == 90_000
    act(staff, "add-limit", unit="usd", period="month", amount="5")
    assert Limit.objects.get(agent="ada", unit="usd").amount == 5
    assert (
        "Enter a number"
        in act(staff, "add-limit", unit="usd", period="month", amount="x").content.decode()
    )


def test_a_rise_above_the_value_of_a_policy_waits_for_a_second_person(staff, fleet, now):
    ApprovalPolicy.objects.update_or_create(
        kind="limit", defaults={"in_force_since": now, "tokens_above": 2_000_000}
    )
    row = Limit.objects.get(agent="ada")
    act(staff, "limit", limit=row.pk, amount="3000000")
    assert Approval.objects.get().subject == "agent:ada"
    row.refresh_from_db()
    assert row.amount == 1_000_000


def test_an_agent_is_switched_off_and_on(staff, fleet):
    act(staff, "off")
    assert agent("ada").disabled_at
    assert "act=off" not in html_of(staff, "/agents/ada")
    act(staff, "on")
    assert agent("ada").disabled_at is None
    assert AuditEntry.objects.get(action="agent.enable").reason == "as agreed"


def add(client, **asked):
    given = {"slug": "dora", "title": "Writes", "cost_centre": "research", "reason": "new", **asked}
    return client.post("/agents?act=add", given, follow=True)


def test_an_agent_is_added_with_its_limit(staff, fleet):
    answer = add(staff, amount="20")
    assert answer.redirect_chain == [("/agents/dora", 302)]
    dora = agent("dora")
    assert (dora.name, dora.cost_centre_id) == ("Writes", "research")
    assert Limit.objects.get(agent="dora", unit="usd", period="month").amount == 20
    assert (
        AuditEntry.objects.get(action="agent.create", subjects__contains=["agent:dora"]).reason
        == "new"
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"slug": "Not a name"},
        {"slug": "ada"},
        {"slug": ""},
        {"cost_centre": "nowhere"},
        {"amount": "-1"},
        {"amount": "x"},
        {"reason": ""},
        {"slug": "a\0b"},
    ],
)
def test_what_is_wrong_adds_nothing(staff, fleet, asked):
    before = Agent.objects.count()
    html = add(staff, **asked).content.decode()
    assert "<dialog" in html
    assert "errorlist" in html or 'role="alert"' in html
    assert Agent.objects.count() == before


def test_acts_are_for_those_with_the_permission(fleet):
    vera = signed_in("vera", role="viewer")
    html = html_of(vera, "/agents/ada", act="freeze")
    assert 'class="button" href="?act=' not in html
    assert '<dialog class="act"' not in html
    assert AgentToken.objects.get().prefix not in html
    for name in ("limit", "add-limit", "token", "revoke", "freeze", "thaw", "off", "on", "x"):
        assert act(vera, name).status_code == 403
    assert add(vera).status_code == 403
    assert "expires" not in [each.name for each in vera.get("/agents").context["table"].columns]


def test_who_is_bound_to_a_cost_centre_sees_and_changes_its_agents_only(fleet, now):
    keys.create_cost_centre("sales-2", actor=GRACE, now=now)
    keys.create_agent("zoe", cost_centre="sales-2", actor=GRACE, now=now)
    dora = signed_in("dora-2", role="operator", of="research")
    assert "zoe" not in rows_of(dora)
    assert "ada" in rows_of(dora)
    assert dora.get("/agents/zoe").status_code == 404
    assert act(dora, "off", slug="zoe").status_code == 404
    assert agent("zoe").disabled_at is None
    assert add(dora, cost_centre="sales-2").status_code == 200
    assert not Agent.objects.filter(pk="dora").exists()
    # A freeze can be of everything, so bound people neither freeze nor thaw.
    assert act(dora, "freeze", mode="cut").status_code == 403


def test_an_empty_installation_says_what_to_do_first(staff):
    assert "No agents yet" in html_of(staff)


def test_an_agent_is_renamed_and_moved_with_what_follows_shown_first(staff, fleet):
    asked = {"reason": "clearer", "name": "The writer"}
    renamed = staff.post("/agents/ada?act=rename", asked, follow=True)
    assert "is called The writer" in unescape(renamed.content.decode())
    signed_in("rita", role="viewer", of="research")
    signed_in("sam", role="viewer", of="sales")
    asked = {"reason": "new team", "cost_centre": "sales"}
    shown = staff.post("/agents/ada?act=move", asked).context["dialog"].form["confirmed"]
    says = " ".join(shown.errors)
    assert "counts in org / sales, under the limits there" in says
    assert "No longer see ada, only what it spent until now: rita." in says
    assert "See ada from now on: sam." in says
    assert agent("ada").cost_centre_id == "research"
    ticked = shown.field.widget.attrs["value"]
    done = staff.post("/agents/ada?act=move", {**asked, "confirmed": ticked}, follow=True)
    assert "sales pays for the agent ada from now on" in unescape(done.content.decode())
    assert (agent("ada").cost_centre_id, agent("ada").name) == ("sales", "The writer")
    again = act(staff, "move", cost_centre="sales")
    assert "pays for the agent already" in unescape(again.content.decode())


def test_who_is_bound_moves_agents_within_their_part_only(fleet):
    operator = signed_in("oda", role="operator", of="research")
    answer = act(operator, "move", cost_centre="sales")
    assert "not one of the available choices" in answer.content.decode()
    assert agent("ada").cost_centre_id == "research"
