"""The overview: figures of now, each leading to its rows, in a fixed number of queries."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from alerts import services as alerts
from keys import alert_kinds
from keys import services as keys
from keys.models import ApiKey, Window
from orchestration import services as tasks
from tests.actors import GRACE
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = pytest.mark.django_db
LINK = re.compile(r'<a[^>]* href="([^"#]+)"')


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may see everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def now():
    """The page looks at the clock: what it shows happens now."""
    return timezone.now()


@pytest.fixture
def fleet(people, now):
    """A fleet at work: ada spends on a paid key, an alert is open, a key is off."""
    limit(add_key("nvidia-1", per_day=None, rates=PAID), 1_000_000, now=now)
    limit(add_key("nvidia-2", per_day=None, rates=PAID), 500_000, now=now)
    keys.set_key_status("nvidia-2", status="inactive", reason="on holiday", actor=GRACE, now=now)
    allocation = allocate(tokens=100_000, now=now, auto_rotate=False)
    report(allocation, 80_000, now=now)
    return allocation


def page_of(client):
    """The page as text, with entities resolved."""
    answer = client.get("/")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_the_page_needs_a_sign_in(client):
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.url == "/admin/login/?next=/"


def test_an_agent_programmer_without_staff_rights_sees_nothing(client):
    client.force_login(get_user_model().objects.create_user("carol"))
    assert client.get("/").status_code == 302


def test_an_empty_page_says_what_to_do_next(staff):
    shown = page_of(staff)
    assert "No API keys yet" in shown
    assert reverse("admin:keys_apikey_add") in shown
    assert "No live allocations" in shown
    assert "No open alerts" in shown
    assert "No tasks yet" in shown
    assert "No events yet" in shown


def test_the_page_shows_what_was_spent_and_what_is_left(staff, fleet):
    shown = page_of(staff)
    assert "80k" in shown
    assert "$0.24" in shown
    assert "1 call since" in shown
    assert "1.4M <small>free of 1.5M</small>" in shown
    assert "80k used" in shown
    assert "20k committed" in shown
    assert "900k free" in shown
    assert "inactive" in shown
    assert "on holiday" in shown
    assert fleet.session_id in shown
    assert "rotation needed" in shown
    assert "1 need" in shown
    assert "80k used and 20k committed of 1M" in shown


def test_every_figure_leads_to_a_page_that_opens(staff, worked):
    links = set(LINK.findall(staff.get("/").content.decode()))
    assert len(links) > 20
    for link in links:
        answer = staff.get(unescape(link))
        assert answer.status_code == 200, link
        if "changelist" in answer.resolver_match.url_name:
            assert "e=1" not in answer.request["QUERY_STRING"], link


def test_a_used_figure_leads_to_exactly_the_charges_behind_it(staff, fleet, now):
    links = LINK.findall(staff.get("/").content.decode())
    [link] = [each for each in links if "nvidia-1" in each and "settled_at__gte" in each]
    listed = staff.get(unescape(link)).context["cl"].result_list
    assert [charge.tokens for charge in listed] == [80_000]
    tomorrow = link.replace(f"{now:%Y-%m-%d}", f"{now + timedelta(days=1):%Y-%m-%d}")
    assert not staff.get(unescape(tomorrow)).context["cl"].result_list


def test_alerts_are_shown_the_most_severe_first(staff, now):
    for kind in (alert_kinds.KEY_COOLING, alert_kinds.KEY_BROKEN):
        title = f"it is {kind.severity}"
        alerts.raise_alert(kind=kind, dedup_key=kind.slug, title=title, now=now)
    shown = page_of(staff)
    assert shown.index("it is critical") < shown.index("it is warning")
    assert "1 critical" in shown


def test_history_is_shown_with_what_changed(staff, now):
    api_key = add_key("nvidia-1", per_day=5)
    limit(api_key, 7_000, now=now)
    shown = page_of(staff)
    assert "<del>5</del>" in shown
    assert "<ins>7,000</ins>" in shown


def test_a_window_whose_period_is_over_counts_as_begun_anew(staff, people, now):
    add_key("nvidia-1", per_day=1_000_000)
    assert not Window.objects.filter(ends_at__gt=now).exists()
    Window.objects.update(used=400_000)
    shown = page_of(staff)
    assert "0 used" in shown
    assert "1M free" in shown


def test_a_secret_that_cannot_be_read_is_shown_and_no_secret_is(staff, fleet):
    ApiKey.objects.filter(pk="nvidia-2").update(secret=ApiKey.objects.get(pk="nvidia-1").secret)
    shown = page_of(staff)
    assert shown.count("secret unreadable") == 1
    assert "secret-nvidia" not in shown


def test_a_thousand_keys_take_as_many_queries_as_one(staff, fleet, django_assert_num_queries):
    few = page_of(staff)
    with django_assert_num_queries(18):
        assert page_of(staff)
    many_keys(1_000)
    with django_assert_num_queries(18):
        shown = page_of(staff)
    assert shown.count("resets ") == 50
    assert "952 more keys" in shown
    assert "more keys" not in few


@pytest.fixture
def worked(fleet, now):
    """Tasks of ada's: one is done, one is at work, one waits for somebody's yes."""
    done = task("Write a report", name="Report", now=now)
    [attempt] = tasks.claim(worker="w", most=1, now=now)
    ended = tasks.AttemptOutcome(attempt.pk, 1, "succeeded", text=f"It says <b>{'much ' * 500}")
    tasks.finish_many([ended], now=now)
    task("Draw", "Print", name="Posters", max_concurrent=1, now=now)
    tasks.claim(worker="w", most=1, now=now)
    task({"description": "Publish", "needs_approval": True}, name="Launch", now=now)
    return done


def task(*parts, now, **changes):
    """Submit it as ada."""
    given = tuple(each if isinstance(each, dict) else {"description": each} for each in parts)
    task_request = tasks.TaskRequest(total_budget=50_000, sub_tasks=given, **changes)
    return tasks.submit(agent="ada", request=task_request, now=now)[0]


def test_tasks_are_shown_with_progress_tokens_and_the_last_result(staff, worked):
    shown = staff.get("/").content.decode()
    section = shown.partition('id="tasks-title"')[2].partition("</section>")[0]
    assert "2 live" in section
    assert "1 of 1 done" in section
    assert "0 of 2 done, 1 running" in section
    assert "1 to approve" in section
    assert "It says &lt;b&gt;much much" in section
    assert section.count("much ") < 60
    assert reverse("admin:orchestration_task_change", args=[worked.pk]) in section
    assert section.index("Launch") < section.index("Posters") < section.index("Report")


def test_tasks_that_live_go_before_later_ones_that_ended(staff, people, now):
    old = task("Draw", name="Old and alive", now=now)
    for number in range(8):
        later = task("Print", name=f"Later {number}", now=now)
        tasks.cancel(task_id=later.pk, actor=GRACE, now=now)
    shown = page_of(staff)
    assert shown.index(old.name) < shown.index("Later 7")
    assert "Later 1" not in shown


def test_many_tasks_take_as_many_queries_as_one(staff, worked, now, django_assert_num_queries):
    with django_assert_num_queries(19):
        page_of(staff)
    for number in range(30):
        task(*[f"Part {n}" for n in range(20)], name=f"Task {number}", now=now)
    with django_assert_num_queries(19):
        assert "32 live" in page_of(staff)


def test_who_may_not_see_tasks_sees_none(client, worked):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename="view_allocation"))
    client.force_login(carol)
    shown = page_of(client)
    assert "Live allocations" in shown
    assert "tasks-title" not in shown
    assert "Posters" not in shown


def many_keys(count):
    """Copies of nvidia-1, the last of them the fullest, each with a daily limit."""
    first = ApiKey.objects.get(pk="nvidia-1")
    fields = {f.name: getattr(first, f.name) for f in ApiKey._meta.local_fields}
    made = [ApiKey(**fields | {"slug": f"many-{n}"}) for n in range(count)]
    ApiKey.objects.bulk_create(made)
    one = first.limits.get()
    window = one.windows.get()
    limits = type(one).objects.bulk_create(
        type(one)(
            api_key=api_key,
            scope=api_key.scope,
            unit=one.unit,
            period=one.period,
            amount=one.amount,
        )
        for api_key in made
    )
    Window.objects.bulk_create(
        Window(
            limit=each,
            scope=each.scope,
            unit=each.unit,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            amount=each.amount,
            used=each.amount - count + number,
        )
        for number, each in enumerate(limits)
    )


def test_the_fullest_keys_come_first(staff, fleet):
    many_keys(100)
    shown = page_of(staff)
    assert shown.index("many-99<") < shown.index("many-98<")
    assert "many-3<" not in shown


def test_a_section_is_shown_to_who_may_see_its_rows(client, fleet):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(carol)
    shown = page_of(client)
    assert "nvidia-1" in shown
    assert "Cost today" not in shown
    assert fleet.session_id not in shown
    assert "Recent events" not in shown


def test_the_page_loads_nothing_from_elsewhere_and_needs_no_inline_script(staff, fleet):
    shown = staff.get("/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]*)"', shown)
    assert all(source.startswith(("/", "#", "?")) for source in sources)
    assert "style=" not in shown
    assert not re.search(r"<script(?![^>]*src=)", shown)
    for source in sources:
        if source.startswith("/static/"):
            assert staff.get(source).status_code == 200
