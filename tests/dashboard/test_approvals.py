"""The inbox of approvals: what waits for whom, who decides, and what was decided."""

from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from dashboard.acts import performed
from gate.models import CentreBinding
from keys import services as keys
from keys.models import Agent, Freeze, Window
from orchestration import services as tasks
from orchestration.models import SubTask
from security import services as security
from security.actor import Actor
from security.models import Approval, ApprovalPolicy, AuditEntry
from tests.actors import GRACE, OLGA
from tests.keys.builders import limit

pytestmark = pytest.mark.django_db
QUERIES, QUERIES_OF_ONE = 14, 9


@pytest.fixture
def olga(db):
    """Somebody else who may do everything."""
    return get_user_model().objects.create_superuser("olga", "olga@example.org")


@pytest.fixture
def policy(people, now):
    """Each rise of a limit needs a second person; ada may use 1,000 tokens a day."""
    limit(Agent.objects.get(pk="ada"), 1_000, now=now)
    ApprovalPolicy.objects.update_or_create(kind="limit", defaults={"in_force_since": now})


@pytest.fixture
def asked(policy, olga, now):
    """Olga asks for more for ada."""
    return propose(6_000, actor=OLGA, now=now)


@pytest.fixture
def gated(people, now):
    """A sub-task of ada that waits for a person."""
    return submit("Launch", now=now)


def propose(amount, *, agent="ada", actor, now):
    terms = keys.Terms(unit="tokens", period="day", amount=amount)
    subject = Agent.objects.get(pk=agent)
    return keys.propose_limit(subject, terms=terms, reason="more work", actor=actor, now=now)


def submit(name, *, agent="ada", now):
    parts = ({"description": "Publish", "needs_approval": True},)
    request = tasks.TaskRequest(total_budget=1_000, sub_tasks=parts, name=name)
    return tasks.submit(agent=agent, request=request, now=now)[0].sub_tasks.get()


def html_of(client, path="/approvals", **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def decide(client, approval, act, **asked):
    path = f"/approvals/{approval.pk}?act={act}"
    return client.post(path, {"reason": "as agreed", **asked}, follow=True)


def decide_gate(client, sub_task, act):
    path = f"/approvals/gates/{sub_task.pk}?act={act}"
    return client.post(path, {"reason": "as agreed"}, follow=True)


def amount():
    return Window.objects.get(scope="agent:ada", closed_at=None).amount


def person(client, *codenames, centre=None):
    """Dora signs in, with these permissions."""
    dora = get_user_model().objects.create_user("dora", "dora@example.org", is_staff=True)
    dora.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if centre:
        CentreBinding.objects.create(person=dora, cost_centre_id=centre)
    client.force_login(dora)


def titles(client):
    """What waits for the person, and what waits for others."""
    context = client.get("/approvals").context
    return [
        [line.item.title for line in lines] for lines in (context["own"], context["others"].shown)
    ]


def test_what_waits_has_its_effect_in_figures_its_meaning_and_who_asked_why(staff, asked):
    html = html_of(staff)
    assert titles(staff) == [["Limit of ada"], []]
    assert "Now: 1,000 tokens per day" in html
    assert "Then: 6,000 tokens per day" in html
    assert "A limit of an API key, an agent or a cost centre is set" in html
    assert "Asked by olga" in html
    assert "“more work”" in html


def test_the_rail_and_the_overview_lead_to_it_with_what_waits_for_the_person(
    client, staff, olga, asked, gated
):
    html = html_of(staff, "/")
    assert '<a href="/approvals"' in html
    assert '<b class="waiting">2<span class="unseen"> waiting</span></b>' in html
    assert f'<a href="/approvals/{asked.pk}">Limit of ada</a>' in html
    assert f'<a href="/approvals/gates/{gated.pk}">' in html
    client.force_login(olga)
    assert '<b class="waiting">1<span' in html_of(client, "/")


def test_who_asked_waits_for_others_and_can_withdraw(client, olga, asked):
    client.force_login(olga)
    assert titles(client) == [[], ["Limit of ada"]]
    html = html_of(client)
    assert "Nothing waits for you." in html
    assert f'href="/approvals/{asked.pk}?act=withdraw"' in html
    assert "?act=approve" not in html_of(client, f"/approvals/{asked.pk}")
    assert decide(client, asked, "approve").status_code == 403
    assert "It is withdrawn." in decide(client, asked, "withdraw").content.decode()
    assert (Approval.objects.get().status, amount()) == ("withdrawn", 1_000)


def test_an_approval_makes_the_change_with_the_reason(staff, asked):
    answer = decide(staff, asked, "approve")
    assert answer.redirect_chain == [("/approvals", 302)]
    assert "It is approved." in answer.content.decode()
    assert amount() == 6_000
    asked.refresh_from_db()
    assert (asked.decided_by, asked.decided_reason) == ("grace", "as agreed")
    assert titles(staff) == [[], []]


def test_a_rejection_changes_nothing_and_says_why(staff, asked):
    decide(staff, asked, "reject", reason="not this month")
    assert amount() == 1_000
    [row] = staff.get("/approvals").context["done"].rows
    shown = {name: row[name] for name in ("status", "decided_by", "decided_reason", "asked_by")}
    assert shown == {
        "status": "rejected",
        "decided_by": "grace",
        "decided_reason": "not this month",
        "asked_by": "olga",
    }
    assert "not this month" in html_of(staff, f"/approvals/{asked.pk}")


def test_a_decision_needs_a_reason(staff, asked):
    html = decide(staff, asked, "approve", reason="").content.decode()
    assert "This field is required." in html
    assert "<dialog" in html
    assert amount() == 1_000


def test_the_second_who_decides_is_told_what_the_first_did(client, staff, asked, now):
    security.approve(asked.pk, reason="fine", actor=GRACE, now=now)
    get_user_model().objects.create_superuser("ivan", "ivan@example.org")
    client.force_login(get_user_model().objects.get(username="ivan"))
    answer = decide(client, asked, "reject")
    assert answer.redirect_chain == [(f"/approvals/{asked.pk}", 302)]
    told = "It is approved already by grace: “fine”. Your decision changed nothing."
    assert told in unescape(answer.content.decode())
    assert amount() == 6_000


def test_the_second_is_told_so_when_both_were_looking(staff, asked, monkeypatch, now):
    """The page was still open when somebody else decided, right before the lock."""

    def late(request, dialog, subject):
        security.reject(asked.pk, reason="no", actor=Actor.person("ivan"), now=now)
        return performed(request, dialog, subject)

    get_user_model().objects.create_superuser("ivan", "ivan@example.org")
    monkeypatch.setattr("dashboard.views.approvals.performed", late)
    answer = decide(staff, asked, "approve")
    assert "It is rejected already by ivan" in unescape(answer.content.decode())
    assert amount() == 1_000


def test_what_no_longer_holds_is_refused_in_the_dialog(staff, asked, now):
    limit(Agent.objects.get(pk="ada"), 900, now=now)
    html = decide(staff, asked, "approve").content.decode()
    assert "The limit was changed since." in html
    assert "<dialog" in html
    assert Approval.objects.get().status == "asked"


def test_an_approval_whose_time_is_over_waits_for_nobody(staff, policy, olga, now):
    old = propose(6_000, actor=OLGA, now=now - timedelta(days=8))
    assert titles(staff) == [[], []]
    assert "expired" in html_of(staff, f"/approvals/{old.pk}")
    answer = decide(staff, old, "approve")
    assert "It is expired already" in answer.content.decode()
    assert amount() == 1_000


def test_a_gate_is_approved_with_a_reason(staff, gated):
    assert titles(staff) == [[f"Sub-task {gated.name} of Launch"], []]
    assert "of the 1,000 tokens of the task" in html_of(staff, f"/approvals/gates/{gated.pk}")
    answer = decide_gate(staff, gated, "approve")
    assert f"The sub-task {gated.name} is approved." in unescape(answer.content.decode())
    gated.refresh_from_db()
    assert (gated.status, gated.approved_by, gated.approved_reason) == (
        "waiting",
        "grace",
        "as agreed",
    )
    assert AuditEntry.objects.get(action="sub_task.approve").reason == "as agreed"
    [row] = staff.get("/approvals").context["done"].rows
    assert (row["status"], row["decided_reason"]) == ("approved", "as agreed")


def test_the_second_at_a_gate_is_told_who_was_first(staff, gated, now):
    tasks.approve(task_id=gated.task_id, key=gated.key, actor=OLGA, now=now)
    answer = decide_gate(staff, gated, "approve")
    assert "It is approved already by olga." in unescape(answer.content.decode())


def test_refusing_a_gate_ends_its_task(staff, gated):
    decide_gate(staff, gated, "cancel")
    gated.refresh_from_db()
    assert gated.status == "cancelled"
    assert AuditEntry.objects.get(action="task.cancel").reason == "as agreed"
    assert titles(staff) == [[], []]


def test_who_may_only_look_decides_nothing(client, asked, gated):
    person(client, "view_approval", "view_subtask")
    own, others = titles(client)
    assert own == []
    assert len(others) == 2
    assert "?act=" not in html_of(client)
    assert decide(client, asked, "approve").status_code == 403
    assert decide_gate(client, gated, "approve").status_code == 403
    assert SubTask.objects.get().approved_at is None


def test_a_bound_person_sees_what_is_of_their_part(client, asked, gated, olga, now):
    limit(Agent.objects.get(pk="carol"), 1_000, now=now)
    other = propose(2_000, agent="carol", actor=OLGA, now=now)
    other_gate = submit("Sell", agent="carol", now=now)
    permissions = ("view_approval", "view_subtask", "steer_task", "decide_approval")
    person(client, *permissions, centre="research")
    assert titles(client)[0] == ["Limit of ada", f"Sub-task {gated.name} of Launch"]
    for path in (f"/approvals/{other.pk}", f"/approvals/gates/{other_gate.pk}"):
        assert client.get(path).status_code == 404
        assert client.post(f"{path}?act=approve", {"reason": "mine"}).status_code == 404
    assert Approval.objects.get(pk=other.pk).status == "asked"


def test_who_may_not_see_approvals_gets_no_page(client, asked):
    person(client, "view_apikey")
    for path in ("/approvals", f"/approvals/{asked.pk}", "/approvals?format=csv"):
        assert client.get(path).status_code == 403


def test_what_is_frozen_waits_for_who_may_thaw_it(client, staff, people, now):
    keys.freeze("agent:ada", reason="It writes nonsense.", actor=OLGA, now=now)
    page = staff.get("/approvals").content.decode()
    assert "It writes nonsense." in page
    assert "agent:ada" in page
    person(client, "view_approval", "view_freeze")
    assert "It writes nonsense." not in html_of(client)
    keys.thaw(Freeze.objects.get().pk, reason="It was a test.", actor=GRACE, now=now)
    assert "It writes nonsense." not in staff.get("/approvals").content.decode()


def test_an_empty_installation_says_so(staff):
    html = html_of(staff)
    assert "Nothing waits for you." in html
    assert "Nothing has been decided yet." in html


def test_decisions_come_in_pages_and_as_a_file(staff, policy, olga, gated, now):
    for number in range(60):
        approval = propose(2_000 + number, actor=OLGA, now=now)
        security.reject(approval.pk, reason=f"no. {number}", actor=GRACE, now=now)
    decide_gate(staff, gated, "approve")
    first = staff.get("/approvals").context["done"]
    assert (len(first.rows), first.count, first.next_page) == (50, 61, "50")
    assert first.rows[0]["status"] == "approved"
    second = staff.get("/approvals", {"after": "50"}).context["done"]
    assert len(second.rows) == 11
    seen = {row["decided_reason"] for row in [*first.rows, *second.rows]}
    assert len(seen) == 61
    answer = staff.get("/approvals", {"format": "csv"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert sum("rejected" in line for line in lines) == 60


@pytest.mark.parametrize("after", ["x", "-1", "99999999999", "2"])
def test_a_wrong_place_in_the_decisions_is_the_first(staff, asked, after):
    assert staff.get("/approvals", {"after": after}).status_code == 200


def test_many_approvals_take_as_many_queries_as_few(
    staff, asked, olga, gated, now, django_assert_num_queries
):
    html_of(staff)
    with django_assert_num_queries(QUERIES):
        html_of(staff)
    with django_assert_num_queries(QUERIES_OF_ONE):
        html_of(staff, f"/approvals/{asked.pk}")
    for number in range(40):
        propose(7_000 + number, actor=OLGA, now=now)
        propose(9_000 + number, actor=GRACE, now=now)
        submit(f"Task {number}", now=now)
    with django_assert_num_queries(QUERIES + 1):
        html = html_of(staff)
    assert "25 of 82" in html
    assert "25 of 40" in html
