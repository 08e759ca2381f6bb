"""The pages of tasks: the list, one task with its graph and times, one part, and what people do."""

import csv
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from dashboard.live import pages
from dashboard.live.audience import audience_of
from dashboard.tables import value
from gate.models import CentreBinding
from keys.books.queries.spend import SpendFilter, slice_start, spend_total
from keys.models import Charge
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from security.models import AuditEntry
from tests.actors import CAROL
from tests.keys.builders import PAID, add_key, adjust, report
from tests.orchestration.work import finish_attempt, start_attempts, task_request

pytestmark = pytest.mark.django_db(transaction=True)
QUERIES, QUERIES_OF_ONE, QUERIES_OF_PART = 20, 20, 20


@pytest.fixture
def key(people):
    """One key that costs something, for ada and all others."""
    add_key("nvidia-1", per_day=10_000_000, rates=PAID)


def submit(*parts, name="Launch", agent="ada", now, **changes):
    request = task_request(*parts, name=name, **changes)
    return services.submit(agent=agent, request=request, now=now)[0]


def launch(now, **changes):
    """Draft, then review and (by a yes) publish."""
    return submit(
        "Draft",
        {"description": "Review", "depends_on": ["1"]},
        {"description": "Publish", "depends_on": ["1"], "needs_approval": True},
        now=now,
        **changes,
    )


def html_of(client, path, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def names(client, **query):
    return [row["task"].value for row in client.get("/tasks", query).context["table"].rows]


def rows_of(text):
    """The rows of a file, without what it says about itself below them."""
    return list(csv.DictReader(text.partition("\r\n\r\n")[0].splitlines()))


def act(client, path, name, **asked):
    return client.post(f"{path}?act={name}", {"reason": "as agreed", **asked}, follow=True)


def person(client, *codenames, centre=None):
    """Dora signs in, with these permissions."""
    dora = get_user_model().objects.create_user("dora", "dora@example.org", is_staff=True)
    dora.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if centre:
        CentreBinding.objects.create(person=dora, cost_centre_id=centre)
    client.force_login(dora)
    return dora


def test_what_runs_is_first_then_what_waits_failed_and_is_done(staff, key, now):
    for name in ("done", "fails", "waits", "runs"):
        submit("One", name=name, now=now, retry_on_failure=False)
    services.pause(task_id=Task.objects.get(name="waits").pk, actor=CAROL, now=now)
    by_name = {attempt.task.name: attempt for attempt in start_attempts(now)}
    finish_attempt(by_name["fails"], "refused", now=now)
    finish_attempt(by_name["done"], now=now, used=1_000)
    assert names(staff) == ["runs", "waits", "fails", "done"]
    assert [names(staff, state=state) for state in ("running", "waiting", "failed", "done")] == [
        ["runs"],
        ["waits"],
        ["fails"],
        ["done"],
    ]
    assert names(staff, state="nonsense") == ["runs", "waits", "fails", "done"]
    rows = staff.get("/tasks").context["table"].rows
    assert [row["state"] for row in rows] == ["running", "paused", "failed", "completed"]
    assert '<span class="badge running">running</span>' in html_of(staff, "/tasks")


def test_tasks_are_filtered_sorted_and_paged(staff, key, now, monkeypatch):
    monkeypatch.setattr("dashboard.tables.PAGE_ROWS", 2)
    for number in range(5):
        budget, later = 10_000 * (number % 3 + 1), now + timedelta(seconds=number)
        submit("One", name=f"task {number}", budget=budget, now=later)
    submit("One", name="of bob", agent="bob", now=now)
    assert names(staff, agent="bob") == ["of bob"]
    assert names(staff, q="K 3") == ["task 3"]
    assert names(staff, q=str(Task.objects.get(name="task 4").pk)) == ["task 4"]
    assert names(staff, q="100%_") == names(staff, cost_centre="x") == []
    for sort in ("state", "-state", "started", "-started", "budget", "-budget", "took", "-took"):
        seen, query = [], {"sort": sort, "q": "task"}
        while True:
            table = staff.get("/tasks", query).context["table"]
            seen += [row["task"].value for row in table.rows]
            if not table.next_page:
                break
            query["after"] = table.next_page
        assert sorted(seen) == [f"task {number}" for number in range(5)], sort
    assert names(staff, sort="-budget", agent="ada")[0] == "task 2"
    for wrong in ("x", "_", "9_x", "x_1", "9" * 40 + "_1", "2026-01-01_1"):
        for sort in ("state", "-started", "took"):
            assert len(names(staff, sort=sort, after=wrong)) == 2


def test_sums_are_of_all_tasks_that_are_asked_for_and_the_file_has_them(
    staff, key, now, monkeypatch
):
    monkeypatch.setattr("dashboard.tables.PAGE_ROWS", 1)
    for name in ("one", "two"):
        submit("Draft", name=name, budget=30_000, now=now)
    first, second = start_attempts(now)
    finish_attempt(first, used=1_000, now=now)
    second.refresh_from_db()
    report(second.allocation, 500, now=now)
    adjust(Charge.objects.first(), 100, cost=Decimal("0.25"))
    table = staff.get("/tasks").context["table"]
    spent = spend_total(SpendFilter(slice_start(now), slice_start(now) + timedelta(minutes=15)))
    assert table.totals["cost"] == spent.cost
    assert (table.totals["used"], table.totals["budget"]) == (1_100, 60_000)
    assert table.totals["lent"] == second.tokens - 100
    text = b"".join(staff.get("/tasks", {"format": "csv"})).decode()
    rows = rows_of(text)
    assert {row["Name"] for row in rows} == {"one", "two"}
    [cost] = [name for name in rows[0] if name.startswith("Cost") and "USD" in name]
    assert sum(Decimal(row[cost]) for row in rows) == spent.cost


def test_of_very_many_tasks_no_sum_is_shown(staff, key, now, monkeypatch):
    monkeypatch.setattr("dashboard.tasks.table.SUMMED_MAX", 1)
    for name in ("one", "two"):
        submit("Draft", name=name, now=now)
    html = html_of(staff, "/tasks")
    assert "2 of more than 1" in html
    assert "use the filters" in html


def test_the_page_of_a_task_shows_its_graph_times_parts_and_log(staff, key, now):
    task = launch(now)
    finish_attempt(start_attempts(now)[0], used=1_200, now=now + timedelta(seconds=90))
    start_attempts(now + timedelta(seconds=90))
    html = html_of(staff, f"/tasks/{task.pk}")
    parts = {part.key: part for part in SubTask.objects.filter(task=task)}
    for key_of, words in (("1", "succeeded"), ("2", "running"), ("3", "gated")):
        part = parts[key_of]
        assert f'href="/tasks/parts/{part.pk}" aria-label="{key_of}. {part.name}: {words}"' in html
    assert html.count('<path class="edge"') == 2
    assert (
        f'<a href="/tasks/parts/{parts["3"].pk}?act=approve" title="Approve or refuse it">' in html
    )
    assert f"1. {parts['1'].name}</a> succeeded" in html
    assert "Task submitted by ada" in html
    assert "1 min" in html
    assert f"&by=model&label=task%3A{task.pk}" in html


def test_the_cost_of_a_task_is_that_of_its_label_in_spend(staff, key, now):
    task = launch(now)
    other = submit("Other", name="other", now=now)
    for attempt in start_attempts(now):
        finish_attempt(attempt, used=1_200, now=now)
    adjust(Charge.objects.filter(allocation__attempt__task=task).get(), 100, cost=Decimal("1.5"))
    context = staff.get(f"/tasks/{task.pk}").context
    view = staff.get(context["spend_url"]).context["table"]
    assert (
        value(view.totals, "cost") == context["current"].cost == context["parts"].totals["cost"] > 1
    )
    listed = {row["pk"]: row["cost"] for row in staff.get("/tasks").context["table"].rows}
    assert listed[task.pk] == context["current"].cost != listed[other.pk]
    assert [row["cost"] for row in context["parts"].rows][0] == context["current"].cost
    part = staff.get(f"/tasks/parts/{task.sub_tasks.get(key='1').pk}").context
    assert part["cost"] == context["current"].cost


@pytest.mark.parametrize("parts", [1, 60, 250])
def test_the_pages_take_as_many_queries_for_any_number_of_parts(
    staff, key, now, parts, django_assert_max_num_queries
):
    task = submit(*(f"Part {n}" for n in range(parts)), name="Wide", budget=10**6, now=now)
    for attempt in start_attempts(now)[:3]:
        finish_attempt(attempt, used=10, now=now)
    with django_assert_max_num_queries(QUERIES):
        html_of(staff, "/tasks")
    with django_assert_max_num_queries(QUERIES_OF_ONE):
        html = html_of(staff, f"/tasks/{task.pk}")
    assert ("too many to draw" in html) == (parts > 200)
    with django_assert_max_num_queries(QUERIES_OF_PART):
        html_of(staff, f"/tasks/parts/{task.sub_tasks.first().pk}")


def test_parts_come_page_by_page_and_their_file_has_all(staff, key, now):
    task = submit(*(f"Part {n}" for n in range(60)), name="Wide", budget=10**6, now=now)
    table = staff.get(f"/tasks/{task.pk}").context["parts"]
    assert (len(table.rows), table.count, table.next_page) == (50, 60, "50")
    rest = staff.get(f"/tasks/{task.pk}", {"parts-after": "50"}).context["parts"]
    assert [row["position"] for row in rest.rows] == list(range(51, 61))
    answer = staff.get(f"/tasks/{task.pk}", {"format": "csv", "table": "task-parts"})
    assert len(rows_of(b"".join(answer).decode())) == 60
    for wrong in ("x", "9" * 40, "-1"):
        assert staff.get(f"/tasks/{task.pk}", {"parts-after": wrong}).status_code == 200


def test_a_task_is_paused_resumed_cancelled_and_retried_with_reasons(staff, key, now):
    task = launch(now)
    path = f"/tasks/{task.pk}"

    def status():
        return Task.objects.get().status

    assert "act-pause" in html_of(staff, path)
    assert "is paused." in act(staff, path, "pause").content.decode()
    assert status() == "paused"
    assert start_attempts(now) == []
    # Somebody was faster.
    assert "It is paused now" in act(staff, path, "pause").content.decode()
    act(staff, path, "resume")
    assert status() == "active"
    assert "This field is required" in act(staff, path, "cancel", reason="").content.decode()
    assert status() == "active"
    assert 'value="medium" selected' in html_of(staff, f"{path}?act=priority")
    assert "is high." in act(staff, path, "priority", priority="high").content.decode()
    assert "Select a valid choice" in act(staff, path, "priority", priority="x").content.decode()
    assert "high, among the tasks of its agent" in html_of(staff, path)
    act(staff, path, "cancel")
    assert status() == "cancelled"
    assert re.findall(r'id="act-(\w+)"', html_of(staff, path)) == ["retry"]
    act(staff, path, "retry", additional_budget=5_000)
    assert status() == "active"
    entries = AuditEntry.objects.about(f"task:{task.pk}").order_by("pk")
    assert [(entry.action, entry.actor, entry.reason) for entry in entries] == [
        (f"task.{verb}", "grace", "as agreed")
        for verb in ("pause", "resume", "set_priority", "cancel", "retry")
    ]


def test_a_gate_is_approved_and_a_failed_part_retried_on_its_page(staff, key, now):
    task = launch(now, retry_on_failure=False)
    finish_attempt(start_attempts(now)[0], now=now)
    review, publish = (task.sub_tasks.get(key=key_of) for key_of in "23")
    path = f"/tasks/parts/{publish.pk}"
    assert "The sub-task Publish is approved." in act(staff, path, "approve").content.decode()
    publish.refresh_from_db()
    assert (publish.approved_by, publish.approved_reason) == ("grace", "as agreed")
    assert "approved by grace: “as agreed”" in html_of(staff, f"/tasks/{task.pk}")
    for attempt in start_attempts(timezone.now()):
        finish_attempt(attempt, "refused" if attempt.sub_task_id == review.pk else "", now=now)
    assert Task.objects.get().status == "partial"
    act(staff, f"/tasks/parts/{review.pk}", "retry", additional_budget=0)
    review.refresh_from_db()
    assert review.status == "waiting"


def test_refusing_a_gate_ends_its_task(staff, key, now):
    publish = launch(now).sub_tasks.get(key="3")
    act(staff, f"/tasks/parts/{publish.pk}", "cancel")
    assert Task.objects.get().status == "cancelled"


def test_texts_are_read_with_the_permission_and_each_look_is_recorded(client, staff, key, now):
    task = launch(now)
    finish_attempt(start_attempts(now)[0], text="A fine <draft>", now=now, facts={"exit": 0})
    part = task.sub_tasks.get(key="1")
    path = f"/tasks/parts/{part.pk}"
    html = html_of(staff, path)
    assert "A fine <draft>" in html
    assert '"exit": 0' in html
    assert AuditEntry.objects.get(action="task.look").subjects[0] == f"sub_task:{part.pk}"
    person(client, "view_task", "view_subtask")
    assert "A fine" not in html_of(client, path)
    assert "Sealed, " in html_of(client, path)
    Task.objects.update(ended_at=now, status="cancelled")
    services.delete_old_texts(now=now + timedelta(days=4_000))
    client.force_login(get_user_model().objects.get(username="grace"))
    assert "Its retention is over" in html_of(client, path)
    assert AuditEntry.objects.filter(action="task.look").count() == 1


def test_who_may_only_look_has_no_acts_and_is_refused(client, key, now):
    task = launch(now)
    part = task.sub_tasks.get(key="3")
    person(client, "view_task", "view_subtask")
    assert 'id="act-' not in html_of(client, f"/tasks/{task.pk}")
    assert "?act=approve" not in html_of(client, f"/tasks/parts/{part.pk}")
    for path in (f"/tasks/{task.pk}", f"/tasks/parts/{part.pk}"):
        for name in ("cancel", "pause", "approve", "retry"):
            assert act(client, path, name).status_code == 403
    assert "/spend" not in html_of(client, f"/tasks/{task.pk}").partition('id="task-now"')[2]
    assert Task.objects.get().status == "active"
    person_without = get_user_model().objects.create_user("eve", is_staff=True)
    client.force_login(person_without)
    for path in ("/tasks", f"/tasks/{task.pk}", f"/tasks/parts/{part.pk}"):
        assert client.get(path).status_code == 403


def test_bound_people_see_and_steer_the_tasks_of_their_part_only(client, key, now):
    mine, other = launch(now, name="mine"), launch(now, agent="carol", name="hers")
    assert mine.cost_centre_id != other.cost_centre_id
    person(client, "view_task", "view_subtask", "steer_task", centre=mine.cost_centre_id)
    assert names(client) == ["mine"]
    hidden = f"/tasks/{other.pk}", f"/tasks/parts/{other.sub_tasks.get(key='1').pk}"
    for path in hidden:
        assert client.get(path).status_code == 404
        assert act(client, path, "cancel").status_code == 404
    streams = [
        client.get("/live", {"page": "task", "row": row}).status_code
        for row in (mine.pk, other.pk, "x", "9" * 30, "")
    ]
    assert streams == [200, 404, 404, 404, 404]
    assert client.get("/live", {"page": "tasks", "row": "1"}).status_code == 404
    streams = [
        client.get("/live", {"page": "sub_task", "row": task.sub_tasks.get(key="1").pk}).status_code
        for task in (mine, other)
    ]
    assert streams == [200, 404]
    act(client, f"/tasks/{mine.pk}", "pause")
    assert Task.objects.get(pk=mine.pk).status == "paused"
    text = b"".join(client.get("/tasks", {"format": "csv"})).decode()
    assert "hers" not in text
    answer = client.get(hidden[0], {"format": "csv"})
    assert answer.status_code == 404


def test_live_fragments_are_what_an_audience_may_see(client, key, now):
    task = launch(now)
    audience = audience_of(person(client, "view_task"))
    page = pages.find("task", str(task.pk))
    before = page.render(audience, now)
    assert f'id="node-{task.sub_tasks.get(key="1").pk}"' in before
    assert "?act=" not in before.partition('hx-target="#task-now"')[0]
    finish_attempt(start_attempts(now)[0], used=10, now=now)
    assert "✓ succeeded" in page.render(audience, now)
    listed = pages.find("tasks").render(audience, now)
    assert f'hx-target="#tasks-row-{task.pk}"' in listed
    assert "1 of 3 done" in listed


def test_the_page_of_a_part_is_live_but_for_its_result(client, key, now):
    part = launch(now).sub_tasks.get(key="1")
    audience = audience_of(person(client, "view_subtask", "read_task_texts"))
    page = pages.find("sub_task", str(part.pk))
    assert "No attempt has started yet." in page.render(audience, now)
    attempt = start_attempts(now)[0]
    assert "Try 1" in page.render(audience, now)
    finish_attempt(attempt, used=10, now=now)
    after = page.render(audience, now)
    assert "succeeded" in after and "Read what came of it" in after
    # Who reads a result is in the audit: no stream sends it.
    assert "<pre" not in after
    assert not AuditEntry.objects.filter(action__contains="look").exists()


def test_a_task_that_ended_just_now_changes_on_lists_that_show_it(client, key, now, monkeypatch):
    monkeypatch.setattr("dashboard.tables.PAGE_ROWS", 1)
    ended, other = submit("One", name="ends", now=now), submit("One", name="runs", now=now)
    finish_attempt(next(each for each in start_attempts(now) if each.task == ended), now=now)
    listed = pages.find("tasks").render(audience_of(person(client, "view_task")), now)
    assert f"#tasks-row-{ended.pk}" in listed
    [rows] = re.findall(r'hx-target="#live-rows" hx-swap="innerHTML">([^<]*)<', listed)
    assert rows.split() == [f"tasks-row-{other.pk}"]


def test_the_rail_search_and_overview_lead_to_the_pages(staff, key, now):
    task = launch(now)
    start_attempts(now)
    html = html_of(staff, "/")
    assert 'href="/tasks"' in html
    assert f'href="/tasks/{task.pk}"' in html
    assert f'href="/tasks/{task.pk}"' in html_of(staff, "/search", q="Launch")
    assert (
        staff.get("/tasks/999999").status_code
        == staff.get("/tasks/parts/999999").status_code
        == 404
    )
    assert Attempt.objects.count() == 1


def test_without_tasks_the_page_says_what_they_are(staff):
    assert "No tasks yet" in html_of(staff, "/tasks")
