"""Agents move and cost centres close: from now on, with nothing open, and with what they spent."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from keys import services as keys
from keys.admin.agent import AddAgentForm
from keys.admin.cost_centre import AddCostCentreForm
from keys.books.queries.open_work import Part, open_work
from keys.books.queries.spend import SpendFilter, spend_by, spend_total
from keys.models import Agent, Allocation, CostCentre, Placement, UsageSlice, Window
from keys.refusals import (
    AgentDisabled,
    AgentNotFound,
    AllocationClosed,
    CostCentreClosed,
    CostCentreNotFound,
    Frozen,
    WorkIsOpen,
    WrongValue,
)
from security.models import AuditEntry
from tests.actors import ACTOR, GRACE
from tests.books import assert_books_balance
from tests.keys.builders import add_key, adjust, allocate, complete, hold, limit, report, settle
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)
END = keys.OpenWorkRule.END


@pytest.fixture
def lent(people):
    """A session of ada's, who is of research; both cost centres have a limit."""
    add_key("key-1")
    for slug in ("research", "sales", "org"):
        limit(CostCentre.objects.get(pk=slug), 100_000)
    return allocate(tokens=10_000)


def move(agent="ada", to="sales", *, now=NOON, **changes):
    """Move an agent."""
    asked = {"reason": "new team", "actor": GRACE, "now": now, **changes}
    return keys.move_agent(agent, cost_centre=to, **asked)


def close(slug="research", **changes):
    """Close a cost centre."""
    asked = {"reason": "merged", "actor": GRACE, "now": NOON, **changes}
    return keys.close_cost_centre(slug, **asked)


def reopen(slug="research"):
    """Open a cost centre again."""
    return keys.reopen_cost_centre(slug, reason="needed", actor=GRACE, now=NOON)


def used(scope):
    """What the open window of a scope has used and committed."""
    window = Window.objects.get(scope=scope, closed_at=None)
    return int(window.used), int(window.committed)


def entry(action):
    """The only entry of this action in the audit."""
    return AuditEntry.objects.get(action=action)


def test_an_agent_with_an_open_session_is_not_moved(lent):
    report(lent, 400)
    with pytest.raises(WorkIsOpen) as refusal:
        move()
    assert refusal.value.facts()["sessions"] == 1
    assert (refusal.value.tokens, refusal.value.first[0].session_id) == (9_600, lent.session_id)
    assert Agent.objects.get(pk="ada").cost_centre_id == "research"


def test_what_was_spent_stays_and_what_is_new_counts_in_the_new_place(lent):
    report(lent, 400)
    complete(lent)
    move()
    report(allocate(tokens=1_000), 70)
    assert used("centre:research") == (400, 0)
    assert used("centre:sales") == (70, 930)
    assert used("centre:org") == (470, 930)
    slices = UsageSlice.objects.order_by("cost_centre").values_list("cost_centre", "tokens")
    assert list(slices) == [("research", 400), ("sales", 70)]
    assert_books_balance()


def test_open_sessions_end_with_the_move_and_a_call_in_flight_is_paid_where_it_started(lent):
    call = hold(lent, 500)
    move(open_work=END)
    lent.refresh_from_db()
    assert (lent.status, lent.status_reason) == ("failed", "moved: new team")
    assert used("centre:research") == (0, 500)
    assert_books_balance()
    settle(call, 450)
    assert used("centre:research") == (450, 0)
    assert used("centre:sales") == (0, 0)
    with pytest.raises(AllocationClosed):
        hold(lent, 1)
    assert_books_balance()


def test_a_move_is_in_the_audit_of_both_cost_centres(lent):
    """O64."""
    move(open_work=END)
    moved = entry("agent.move")
    assert (moved.before, moved.after) == ({"cost_centre": "research"}, {"cost_centre": "sales"})
    assert {"agent:ada", "centre:research", "centre:sales"} <= set(moved.subjects)
    assert moved.reason == "new team"


def test_a_move_to_the_same_place_changes_nothing_and_ends_nothing(lent):
    move(to="research", open_work=END)
    lent.refresh_from_db()
    assert lent.status == "active"
    assert not AuditEntry.objects.filter(action="agent.move").exists()


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"agent": "nobody"}, AgentNotFound),
        ({"to": "nowhere"}, CostCentreNotFound),
        ({"reason": " "}, WrongValue),
        ({"reason": "x" * 301}, WrongValue),
    ],
)
def test_a_move_that_cannot_be_ends_nothing(lent, asked, refusal):
    with pytest.raises(refusal):
        move(**asked, open_work=END)
    lent.refresh_from_db()
    assert lent.status == "active"


def test_nobody_leaves_a_frozen_cost_centre(lent):
    complete(lent)
    keys.freeze("centre:research", reason="leak", actor=ACTOR, now=NOON)
    with pytest.raises(Frozen):
        move()


def test_unfinished_tasks_are_open_work_and_are_cancelled_with_the_move(lent, submitted_task):
    complete(lent)
    with pytest.raises(WorkIsOpen) as refusal:
        move()
    assert refusal.value.others == ["1 task"]
    move(open_work=END)
    submitted_task.refresh_from_db()
    assert submitted_task.status == "cancelled"


@pytest.fixture
def submitted_task(people):
    """A task of ada's that waits for a worker."""
    from orchestration import services as orchestration

    request = orchestration.TaskRequest(
        name="survey", description="- read\n- write", total_budget=10_000
    )
    task, _ = orchestration.submit(agent="ada", request=request, now=NOON)
    return task


def test_a_closed_cost_centre_lends_nothing_and_says_whom_to_ask(lent):
    complete(lent)
    close()
    with pytest.raises(CostCentreClosed) as refusal:
        allocate()
    assert "move the agent to another cost centre, or to reopen" in refusal.value.detail
    assert not open_work(Part(cost_centre="research"))
    assert set(Agent.objects.exclude(disabled_at=None).values_list("pk", flat=True)) == {
        "ada",
        "bob",
    }
    assert entry("cost_centre.close").after == {"closed": True}
    assert_books_balance()


def test_it_is_not_closed_while_something_is_open(lent):
    with pytest.raises(WorkIsOpen):
        close()
    assert CostCentre.objects.get(pk="research").closed_at is None
    close(open_work=END)
    assert CostCentre.objects.get(pk="research").closed_at == NOON
    assert_books_balance()


def test_its_agents_can_move_in_the_same_step(lent):
    close(agents_to="sales", open_work=END)
    assert set(Agent.objects.filter(cost_centre="sales", disabled_at=None)) == {
        Agent(pk=slug) for slug in ("ada", "bob", "carol")
    }
    assert report(allocate(), 10).allocation.cost_centre_id == "sales"
    assert_books_balance()


def test_it_closes_with_all_below_and_is_reopened_from_the_top(lent):
    """O64."""
    complete(lent)
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    close()
    closed = CostCentre.objects.exclude(closed_at=None)
    assert {each.pk for each in closed} == {"research", "lab"}
    with pytest.raises(CostCentreClosed):
        reopen("lab")
    reopen()
    reopen("lab")
    assert not closed.all().exists()
    with pytest.raises(AgentDisabled):
        allocate()
    keys.enable_agent(Agent(pk="ada"), actor=ACTOR, now=NOON)
    allocate()
    assert AuditEntry.objects.filter(action="cost_centre.reopen").count() == 2


def test_a_closed_cost_centre_takes_nothing_in(lent):
    complete(lent)
    close()
    for put in (
        lambda: keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON),
        lambda: keys.create_agent_without_limits(
            "dora", cost_centre="research", actor=ACTOR, now=NOON
        ),
        lambda: keys.enable_agent(Agent(pk="ada"), actor=ACTOR, now=NOON),
        lambda: move("carol", "research"),
        lambda: close("sales", agents_to="research"),
    ):
        with pytest.raises(CostCentreClosed):
            put()


def test_agents_do_not_move_into_what_closes(lent):
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    for into in ("research", "lab"):
        with pytest.raises(WrongValue):
            close(agents_to=into, open_work=END)
    lent.refresh_from_db()
    assert lent.status == "active"


@pytest.mark.parametrize(
    "change",
    [
        lambda: CostCentre.objects.filter(pk="research").update(closed_at=NOON),
        lambda: CostCentre.objects.filter(pk="org").update(closed_at=NOON),
        lambda: Agent.objects.filter(pk="dora").update(disabled_at=None),
        lambda: Agent.objects.filter(pk="carol").update(cost_centre="old"),
        lambda: CostCentre.objects.create(
            slug="x", name="x", parent_id="old", path=["org", "old", "x"]
        ),
    ],
    ids=["with agents", "with centres", "agent on", "agent in", "centre in"],
)
def test_the_database_keeps_closed_cost_centres_empty(people, change):
    keys.create_cost_centre("old", parent="org", actor=ACTOR, now=NOON)
    keys.create_agent_without_limits("dora", cost_centre="old", actor=ACTOR, now=NOON)
    close("old")
    with pytest.raises(IntegrityError), transaction.atomic():
        change()


def test_an_agent_gets_another_name_and_the_audit_keeps_the_old_one(people):
    """O64."""
    keys.rename_agent("ada", name=" Ada II ", reason="clearer", actor=GRACE, now=NOON)
    keys.rename_agent("ada", name="Ada II", reason="again", actor=GRACE, now=NOON)
    assert Agent.objects.get(pk="ada").name == "Ada II"
    renamed = entry("agent.rename")
    assert (renamed.before, renamed.after) == ({"name": "ada"}, {"name": "Ada II"})
    with pytest.raises(WrongValue):
        keys.rename_agent("ada", name=" ", reason="none", actor=GRACE, now=NOON)
    with pytest.raises(AgentNotFound):
        keys.rename_agent("nobody", name="N", reason="none", actor=GRACE, now=NOON)


def test_a_name_is_one_line_that_can_be_seen(people):
    """O64: names may be alike, for each agent has its slug; none hides a part of itself."""
    hidden = ("a\0", "\N{ZERO WIDTH SPACE}", "\N{ZERO WIDTH JOINER}", "\ud800", "a" * 201)
    for name in (*hidden, "a\N{RIGHT-TO-LEFT OVERRIDE}b"):
        for give in (
            lambda name: keys.rename_agent("ada", name=name, reason="r", actor=GRACE, now=NOON),
            lambda name: keys.rename_cost_centre(
                "sales", name=name, reason="r", actor=GRACE, now=NOON
            ),
            lambda name: keys.create_cost_centre("lab", name=name, actor=ACTOR, now=NOON),
            lambda name: keys.create_agent_without_limits(
                "dora", cost_centre="sales", name=name, actor=ACTOR, now=NOON
            ),
        ):
            with pytest.raises(WrongValue):
                give(name)
    family = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
    for name, kept in (("bob", "bob"), ("BOB", "BOB"), ("a\n\tb", "a b"), (family, family)):
        renamed = keys.rename_agent("ada", name=name, reason="r", actor=GRACE, now=NOON)
        assert renamed.name == kept


def test_a_session_that_charges_a_cost_centre_below_is_open_work_of_both(lent):
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    allocate("bob", 500, cost_centre="lab")
    assert open_work(Part(agent="bob")).sessions == 1
    assert open_work(Part(cost_centre="lab")).sessions == 1
    assert open_work(Part(cost_centre="research")).sessions == 2
    assert Allocation.objects.count() == 2


def move_centre(slug="research", parent="sales", **changes):
    """Move a cost centre."""
    asked = {"reason": "merged", "actor": GRACE, "now": NOON, **changes}
    return keys.move_cost_centre(slug, parent=parent, **asked)


def path_of(slug):
    """The place of a cost centre."""
    return CostCentre.objects.get(pk=slug).path


def test_a_cost_centre_moves_with_all_below_it_and_leaves_what_was_spent(lent):
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    report(lent, 400)
    complete(lent)
    move_centre()
    assert path_of("lab") == ["org", "sales", "research", "lab"]
    report(allocate(tokens=1_000, cost_centre="lab"), 70)
    assert used("centre:research") == (470, 930)
    assert used("centre:sales") == (70, 930)
    assert used("centre:org") == (470, 930)
    moved = entry("cost_centre.move")
    assert (moved.before, moved.after["parent"]) == ({"parent": "org"}, "sales")
    assert {"centre:org", "centre:sales", "centre:research"} <= set(moved.subjects)
    assert_books_balance()


def test_reports_count_each_call_where_it_was_paid(lent):
    call = hold(lent, 500)
    report(lent, 400)
    move_centre(open_work=END)
    settle(call, 450)
    report(allocate(tokens=1_000), 70)
    month = SpendFilter(NOON, NOON.replace(day=NOON.day + 1))
    sales = month._replace(cost_centres=("sales",))
    assert spend_total(sales).tokens == 70
    assert spend_total(month._replace(within=("sales",))).tokens == 70
    assert spend_total(month._replace(cost_centres=("research",))).tokens == 920
    groups = {each.group: each.spend.tokens for each in spend_by(
        month, by="centre_at", within_centre="org")}  # fmt: skip
    assert groups == {"research": 850, "sales": 70}
    assert_books_balance()


def test_late_settlements_and_corrections_count_in_the_place_of_their_call(lent):
    call = hold(lent, 500)
    charge = report(lent, 400)
    later = NOON.replace(hour=20)
    keys.expire_charges(now=later)
    move_centre(open_work=END, now=later)
    settle(call, 450, now=later)
    adjust(charge, 100, now=later)
    assert used("centre:sales") == (0, 0)
    assert used("centre:research") == (550, 0)
    assert_books_balance()


def test_it_moves_to_the_top_and_back_to_the_place_that_it_had(lent):
    complete(lent)
    move_centre(parent="")
    assert path_of("research") == ["research"]
    report(allocate(tokens=1_000), 70)
    assert used("centre:org") == (0, 0)
    move_centre(parent="org", open_work=END)
    assert path_of("research") == ["org", "research"]
    assert Placement.objects.filter(cost_centre="research").count() == 2
    assert_books_balance()


def test_a_cost_centre_is_never_below_itself_and_leaves_no_frozen_one(lent):
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=NOON)
    for into in ("research", "lab"):
        with pytest.raises(WrongValue):
            move_centre(parent=into, open_work=END)
    with pytest.raises(CostCentreNotFound):
        move_centre("moon")
    with pytest.raises(WorkIsOpen):
        move_centre()
    move_centre(parent="org", open_work=END)
    keys.freeze("centre:org", reason="leak", actor=ACTOR, now=NOON)
    with pytest.raises(Frozen):
        move_centre(open_work=END)
    lent.refresh_from_db()
    assert lent.status == "active"


@pytest.mark.parametrize(
    "change",
    [
        lambda: CostCentre.objects.filter(pk="research").update(path=["research"]),
        lambda: CostCentre.objects.filter(pk="research").update(parent="sales"),
        lambda: CostCentre.objects.filter(pk="org").update(parent="research"),
        lambda: CostCentre.objects.create(slug="x", name="x", path=["org", "x"]),
        lambda: Placement.objects.all().delete(),
        lambda: Placement.objects.filter(cost_centre="org").update(path=["x"]),
        lambda: CostCentre.objects.filter(pk="sales").update(slug="s"),
        lambda: Allocation.objects.update(placement=Placement.objects.get(cost_centre="org")),
    ],
)
def test_the_database_keeps_paths_and_placements(lent, change):
    with pytest.raises(DatabaseError), transaction.atomic():
        change()


def test_the_admin_adds_nothing_to_a_closed_cost_centre(lent):
    complete(lent)
    close()
    for form, field in ((AddAgentForm, "cost_centre"), (AddCostCentreForm, "parent")):
        [error] = form({"slug": "new", field: "research"}).errors[field]
        assert "research is closed" in error
