"""Tasks in the admin: read down to the charges, steered by who may, and safe to look at."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from common import links
from orchestration import services
from orchestration.models import Attempt, Concurrency, SubTask, Task
from security.models import AuditEntry
from tests.actors import GRACE
from tests.keys.builders import add_key
from tests.orchestration.work import result_of, run_until_done, say, statuses, submit

CONFIRMED = {"_form_submitted": "on"}
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def staff(client, db):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def reader(client, db):
    """A client signed in as carol, who may look at tasks and do nothing else."""
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="orchestration", codename__startswith="view_"
        )
    )
    client.force_login(carol)
    return client


def page(name, *args):
    """The address of an admin page of the app."""
    return reverse(f"admin:orchestration_{name}", args=args)


def page_text(client, name, *args, query=""):
    """The text of an admin page."""
    answer = client.get(page(name, *args) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def confirm(client, task, action):
    """Confirm an action on the page of a task. Returns the task afterwards."""
    answer = client.post(page(f"task_{action}", task.pk), CONFIRMED | {"additional_budget": "0"})
    assert answer.status_code == 302
    task.refresh_from_db()
    return task


@pytest.fixture
def partial_task(office, staff):
    """A task of ada with one succeeded and one failed sub-task."""
    return run_until_done(submit(say("Fetch", output=30), say("Break", status=400), max_retries=0))


def test_a_task_leads_down_to_the_charges_it_is_made_of(partial_task, staff):
    found = page_text(staff, "task_change", partial_task.pk)
    first = SubTask.objects.get(task=partial_task, position=1)
    attempt = first.attempts.get()
    assert "1 of 2 done, 1 failed" in found
    assert result_of(first) in page_text(staff, "subtask_change", first.pk)
    assert page("subtask_change", first.pk) in found
    below = page_text(staff, "subtask_change", first.pk)
    assert page("attempt_change", attempt.pk) in below
    charges = links.url("charges", allocation=attempt.allocation_id)
    assert charges in below
    assert reverse("admin:keys_allocation_change", args=[attempt.allocation_id]) in below
    listed = staff.get(charges).context["table"]
    assert listed.totals["tokens"] == attempt.used_tokens > 0
    assert f"{partial_task.used:,} of 100,000" in found


def test_every_page_and_list_of_tasks_opens_and_shows_no_markup_of_its_own(partial_task, staff):
    for name, model in (("task", Task), ("subtask", SubTask), ("attempt", Attempt)):
        for row in model.objects.all():
            assert "&lt;" not in page_text(staff, f"{name}_change", row.pk)
        assert "&lt;" not in page_text(staff, f"{name}_changelist")
    for query in ("which=live", "which=gated", "which=retry", "which=overrun", "since=week"):
        assert (
            "e=1"
            not in staff.get(page("task_changelist") + "?" + query, follow=True).request[
                "QUERY_STRING"
            ]
        )


def test_tasks_are_found_by_name_agent_cost_centre_and_what_needs_an_eye(people, staff):
    submit("Draw", name="Posters")
    gated = submit({"description": "Print", "needs_approval": True}, name="Flyers")
    for query, count in (
        ("q=oster", 1),
        ("q=ada", 2),
        (f"q={gated.cost_centre_id}", 2),
        ("q=nobody", 0),
        ("which=live", 2),
        ("which=retry", 0),
    ):
        found = staff.get(page("task_changelist") + "?" + query).context["cl"].result_list
        assert len(found) == count, query
    [found] = staff.get(page("task_changelist") + "?which=gated").context["cl"].result_list
    assert found == gated


def test_what_models_and_agents_wrote_is_never_markup(people, staff):
    task = submit(HOSTILE, name=HOSTILE)
    sub_task = task.sub_tasks.get()
    now = timezone.now()
    overview = staff.get("/").content.decode()
    [attempt] = services.claim(worker=HOSTILE[:64], most=1, now=now)
    ended = services.AttemptOutcome(
        attempt.pk, 1, "succeeded", text=HOSTILE, facts={"said": HOSTILE, HOSTILE: 1}
    )
    assert services.finish_many([ended], now=now) == [True]
    pages = [
        page_text(staff, "task_changelist"),
        page_text(staff, "task_change", task.pk),
        page_text(staff, "subtask_changelist"),
        page_text(staff, "subtask_change", sub_task.pk),
        page_text(staff, "attempt_changelist"),
        page_text(staff, "attempt_change", attempt.pk),
        overview,
    ]
    for text in pages:
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert "&lt;img src=x" in pages[1]
    assert "&lt;img src=x" in pages[6]


def test_an_error_is_shown_escaped_where_it_happened(people, staff):
    task = submit("x", max_retries=0)
    now = timezone.now()
    [attempt] = services.claim(worker="w", most=1, now=now)
    failed = services.AttemptOutcome(attempt.pk, 1, "failed", kind="refused", says=HOSTILE)
    services.finish_many([failed], now=now)
    for name, pk in (
        ("task", task.pk),
        ("subtask", task.sub_tasks.get().pk),
        ("attempt", attempt.pk),
    ):
        text = page_text(staff, f"{name}_change", pk)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_a_task_is_paused_resumed_and_cancelled_by_who_is_signed_in(people, staff):
    task = submit("Draw", "Print")
    assert confirm(staff, task, "pause").status == "paused"
    assert "grace" in task.status_reason
    assert confirm(staff, task, "resume").status == "active"
    assert confirm(staff, task, "cancel").status == "cancelled"
    assert statuses(task) == ["cancelled", "cancelled"]
    history = staff.get(page("task_history", task.pk), follow=True).context["cl"].queryset
    assert [(entry.action, entry.actor) for entry in history] == [
        ("task.cancel", "grace"),
        ("task.resume", "grace"),
        ("task.pause", "grace"),
    ]


def test_an_action_asks_before_it_does_something(people, staff):
    task = submit("Draw")
    asks = staff.get(page("task_cancel", task.pk)).content.decode()
    assert "Cancel this task?" in asks
    task.refresh_from_db()
    assert task.status == "active"


def test_only_actions_that_fit_the_state_are_offered(people, staff):
    task = submit("Draw")
    for action, offered in (
        ("pause", {"pause", "cancel"}),
        ("resume", {"resume", "cancel"}),
        ("cancel", {"pause", "cancel"}),
        (None, {"retry_failed"}),
    ):
        text = page_text(staff, "task_change", task.pk)
        all_of_them = ("pause", "resume", "cancel", "retry_failed")
        assert {name for name in all_of_them if page(f"task_{name}", task.pk) in text} == offered
        if action:
            confirm(staff, task, action)


def test_a_refusal_is_said_in_a_sentence(people, staff):
    task = confirm(staff, submit("Draw"), "cancel")
    answer = staff.post(page("task_pause", task.pk), CONFIRMED, follow=True)
    assert f"The task {task.pk} has ended (cancelled)." in answer.content.decode()


def test_what_failed_is_run_again_with_more_budget(people, staff):
    task = confirm(staff, submit("Draw", "Print"), "cancel")
    wanted = CONFIRMED | {"additional_budget": "500"}
    staff.post(page("task_retry_failed", task.pk), wanted)
    task.refresh_from_db()
    assert (task.status, task.budget) == ("active", 100_500)
    assert statuses(task) == ["waiting", "waiting"]


def test_a_budget_is_not_made_smaller_by_a_retry(people, staff):
    task = confirm(staff, submit("Draw"), "cancel")
    wanted = CONFIRMED | {"additional_budget": "-5"}
    assert staff.post(page("task_retry_failed", task.pk), wanted).status_code == 200
    task.refresh_from_db()
    assert task.status == "cancelled"


def test_a_gated_sub_task_is_approved_on_its_page(people, staff):
    task = submit({"description": "Print", "needs_approval": True})
    [sub_task] = task.sub_tasks.all()
    assert page("subtask_change", sub_task.pk) in page_text(staff, "task_change", task.pk)
    address = page("subtask_approve", sub_task.pk)
    assert address in page_text(staff, "subtask_change", sub_task.pk)
    assert staff.post(address, CONFIRMED).status_code == 302
    sub_task.refresh_from_db()
    assert (sub_task.status, sub_task.approved_by) == ("waiting", "grace")
    assert address not in page_text(staff, "subtask_change", sub_task.pk)


def test_who_may_only_look_steers_nothing(people, reader):
    task = submit({"description": "Print", "needs_approval": True})
    [sub_task] = task.sub_tasks.all()
    text = page_text(reader, "task_change", task.pk)
    for action in ("cancel", "pause", "resume", "retry_failed"):
        assert page(f"task_{action}", task.pk) not in text
        assert reader.post(page(f"task_{action}", task.pk), CONFIRMED).status_code == 403
    assert reader.post(page("subtask_approve", sub_task.pk), CONFIRMED).status_code == 403
    task.refresh_from_db()
    assert task.status == "active"


def test_who_may_steer_needs_no_other_right_to_change(people, reader):
    task = submit("Draw")
    carol = get_user_model().objects.get(username="carol")
    carol.user_permissions.add(Permission.objects.get(codename="steer_task"))
    assert confirm(reader, task, "cancel").status == "cancelled"


@pytest.mark.parametrize("name", ["task", "subtask", "attempt"])
def test_nothing_is_added_edited_or_deleted_by_hand(people, staff, name):
    """O14."""
    submit("Draw")
    services.claim(worker="w", most=1, now=timezone.now())
    pk = {"task": Task, "subtask": SubTask, "attempt": Attempt}[name].objects.get().pk
    assert staff.get(page(f"{name}_add")).status_code == 403
    assert staff.post(page(f"{name}_change", pk), {"budget": "1"}).status_code == 403
    assert staff.post(page(f"{name}_delete", pk), {"post": "yes"}).status_code == 403


def test_a_plan_of_hundreds_of_parts_is_shown_in_part_in_few_queries(people, staff):
    task = submit(*[f"Draw {n}" for n in range(300)], budget=1_000_000)
    with CaptureQueriesContext(connection) as queries:
        text = page_text(staff, "task_change", task.pk)
    assert len(queries) <= 16
    assert "All sub-tasks" in text
    assert text.count("Draw ") < 250


def test_a_long_result_has_its_size_below_the_task_and_is_whole_on_its_own_page(people, staff):
    task = submit("Draw")
    now = timezone.now()
    [attempt] = services.claim(worker="w", most=1, now=now)
    words = "word " * 10_000 + "the very last"
    services.finish_many([services.AttemptOutcome(attempt.pk, 1, "succeeded", text=words)], now=now)
    text = page_text(staff, "task_change", task.pk)
    assert "the very last" not in text
    assert "bytes, sealed" in text
    assert "the very last" in page_text(staff, "subtask_change", task.sub_tasks.get().pk)


@pytest.mark.parametrize("name", ["task", "subtask", "attempt"])
def test_many_rows_are_listed_in_as_many_queries_as_few(people, staff, name):
    counts = []
    for more in (1, 20):
        for _ in range(more):
            submit("Draw", "Print")
        services.claim(worker="w", most=100, now=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            page_text(staff, f"{name}_changelist")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10


def test_lists_of_many_rows_are_read_by_index(people, staff):
    task = submit("Draw", "Print")
    copied = [f.column for f in SubTask._meta.local_fields if f.column not in ("id", "position")]
    columns = ", ".join(copied).replace("key", "'k' || n", 1)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO orchestration_subtask (position, {', '.join(copied)})"  # noqa: S608
            f" SELECT 1000 + n, {columns} FROM orchestration_subtask, generate_series(1, 50000) n"
            " WHERE position = 1"
        )
        cursor.execute("ANALYZE orchestration_subtask")
    for query in ("", f"?task__id__exact={task.pk}"):
        with CaptureQueriesContext(connection) as queries:
            page_text(staff, "subtask_changelist", query=query)
        [rows] = [q["sql"] for q in queries if 'FROM "orchestration_subtask" INNER' in q["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + rows)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        if not query:
            assert "Seq Scan on orchestration_subtask" not in plan, plan
            assert "Sort" not in plan, plan
        assert "Limit" in plan.partition("\n")[0], plan


LIMIT = {"scope": "all", "attempts_max": "7", "reason": "a quiet night"}


def test_a_concurrency_limit_is_added_changed_and_removed(people, staff):
    """O47."""
    assert staff.post(page("concurrency_add"), LIMIT).status_code == 302
    limit = Concurrency.objects.get()
    assert (limit.scope, limit.attempts_max) == ("all", 7)
    for wrong in ({"reason": " "}, {"reason": "x" * 301}, {"attempts_max": "-1"}, {"scope": "ALL"}):
        other = LIMIT | {"scope": "agent:ada"} | wrong
        assert staff.post(page("concurrency_add"), other).status_code == 200
    # A second limit of the same scope, and Django's way to delete without a reason.
    assert staff.post(page("concurrency_add"), LIMIT | {"attempts_max": "9"}).status_code == 200
    delete = {"action": "delete_selected", "_selected_action": [limit.pk], "post": "yes"}
    staff.post(page("concurrency_changelist"), delete)
    assert Concurrency.objects.get().attempts_max == 7
    staff.post(page("concurrency_change", limit.pk), {"attempts_max": "0"})
    limit.refresh_from_db()
    assert limit.attempts_max == 7
    staff.post(page("concurrency_change", limit.pk), {"attempts_max": "0", "reason": "a storm"})
    limit.refresh_from_db()
    told = AuditEntry.objects.filter(action="concurrency_limit.set").order_by("pk")
    assert list(told.values_list("reason", flat=True)) == ["a quiet night", "a storm"]
    assert (limit.scope, limit.attempts_max) == ("all", 0)
    assert "all" in page_text(staff, "concurrency_changelist")
    assert staff.post(page("concurrency_delete", limit.pk), {"post": "yes"}).status_code == 403
    remove = page("concurrency_remove", limit.pk)
    for reason in ({}, {"reason": " "}, {"reason": "x" * 301}):
        assert "was removed" not in staff.post(remove, CONFIRMED | reason).content.decode()
        assert Concurrency.objects.exists()
    staff.post(remove, CONFIRMED | {"reason": "the storm is over"})
    assert not Concurrency.objects.exists()
    removed = AuditEntry.objects.get(action="concurrency_limit.remove")
    assert (removed.reason, removed.before) == ("the storm is over", {"attempts_max": 0})
    # Back on an old page, or twice at once.
    assert staff.post(remove, CONFIRMED | {"reason": "again"}).status_code == 302


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        ("centre:nowhere", "The cost centre nowhere does not exist."),
        ("provider:nobody", "The provider nobody does not exist."),
        ("runner:hammer", "The runner hammer does not exist."),
        ("planet:mars", "The scope planet:mars is not known"),
        ("centre:", "The scope centre: is not known"),
    ],
)
def test_a_limit_of_what_is_not_there_is_refused_with_a_sentence(people, staff, scope, sentence):
    answer = staff.post(page("concurrency_add"), LIMIT | {"scope": scope})
    assert sentence in answer.content.decode()
    assert not Concurrency.objects.exists()


def test_limits_of_what_is_there_are_kept_and_show_what_runs(people, staff):
    add_key("nvidia-1")
    for scope in ("centre:org", "provider:nvidia", "runner:model"):
        assert staff.post(page("concurrency_add"), LIMIT | {"scope": scope}).status_code == 302
    submit("Draw")
    services.claim(worker="w", most=5, now=timezone.now())
    text = page_text(staff, "concurrency_changelist")
    assert reverse("admin:keys_costcentre_change", args=["org"]) in text
    assert text.count("1 of 7") == 2


def test_who_may_only_look_writes_no_limit(people, reader):
    services.set_concurrency("all", attempts_max=3, reason="few", actor=GRACE, now=timezone.now())
    limit = Concurrency.objects.get()
    assert reader.post(page("concurrency_add"), LIMIT).status_code == 403
    assert reader.post(page("concurrency_change", limit.pk), LIMIT).status_code == 403
    assert reader.post(page("concurrency_delete", limit.pk), {"post": "yes"}).status_code == 403
    confirmed = CONFIRMED | {"reason": "no"}
    assert reader.post(page("concurrency_remove", limit.pk), confirmed).status_code == 403


def test_the_sidebar_has_a_group_for_work(staff):
    text = staff.get(reverse("admin:index")).content.decode()
    for name in ("task", "attempt", "concurrency", "command"):
        assert page(f"{name}_changelist") in text
