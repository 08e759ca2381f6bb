"""The overview: figures of now, each leading to its rows, in a fixed number of queries."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urljoin

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
    html = page_of(staff)
    assert "No API keys yet" in html
    assert reverse("admin:keys_apikey_add") in html
    assert "No live allocations" in html
    assert "No open alerts" in html
    assert "No tasks yet" in html
    assert "No events yet" in html


def test_the_page_shows_what_was_spent_and_what_is_left(staff, fleet):
    html = page_of(staff)
    assert "80k" in html
    assert "$0.24" in html
    assert "1 call since" in html
    assert "1.4M <small>free of 1.5M</small>" in html
    assert "80k used" in html
    assert "20k committed" in html
    assert "900k free" in html
    assert "inactive" in html
    assert "on holiday" in html
    assert fleet.session_id in html
    assert "rotation needed" in html
    assert "1 need" in html
    assert "80k used and 20k committed of 1M" in html


def test_every_figure_leads_to_a_page_that_opens(staff, worked):
    links = set(LINK.findall(staff.get("/").content.decode()))
    assert len(links) > 20
    for link in links:
        answer = staff.get(urljoin("/", unescape(link)))
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
    html = page_of(staff)
    assert html.index("it is critical") < html.index("it is warning")
    assert "1 critical" in html


def test_history_is_shown_with_what_changed(staff, now):
    api_key = add_key("nvidia-1", per_day=5)
    limit(api_key, 7_000, now=now)
    html = page_of(staff)
    assert "<del>5</del>" in html
    assert "<ins>7,000</ins>" in html


def test_a_window_whose_period_has_ended_counts_as_reset(staff, people, now):
    add_key("nvidia-1", per_day=1_000_000)
    assert not Window.objects.filter(ends_at__gt=now).exists()
    Window.objects.update(used=400_000)
    html = page_of(staff)
    assert "0 used" in html
    assert "1M free" in html


def test_a_secret_that_cannot_be_read_is_shown_and_no_secret_is(staff, fleet):
    ApiKey.objects.filter(pk="nvidia-2").update(secret=ApiKey.objects.get(pk="nvidia-1").secret)
    html = page_of(staff)
    assert html.count("secret unreadable") == 1
    assert "secret-nvidia" not in html


def test_a_thousand_keys_take_as_many_queries_as_one(staff, fleet, django_assert_num_queries):
    few = page_of(staff)
    with django_assert_num_queries(25):
        assert page_of(staff)
    many_keys(1_000)
    with django_assert_num_queries(25):
        html = page_of(staff)
    assert html.count("resets ") == 50
    assert "952 more keys" in html
    assert "more keys" not in few


@pytest.fixture
def worked(fleet, now):
    """Tasks of ada: one is done, one is running, one waits for an approval."""
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


def test_tasks_are_shown_with_progress_tokens_and_the_size_of_the_last_result(staff, worked):
    html = staff.get("/").content.decode()
    section = html.partition('id="tasks-title"')[2].partition("</section>")[0]
    assert "2 live" in section
    assert "1 of 1 done" in section
    assert "0 of 2 done, 1 running" in section
    assert "1 to approve" in section
    assert "bytes, sealed" in section
    assert "much" not in section, "a page that many see has no texts"
    assert reverse("admin:orchestration_task_change", args=[worked.pk]) in section
    assert section.index("Launch") < section.index("Posters") < section.index("Report")


def test_tasks_that_live_go_before_later_ones_that_ended(staff, people, now):
    old = task("Draw", name="Old and alive", now=now)
    for number in range(8):
        later = task("Print", name=f"Later {number}", now=now)
        tasks.cancel(task_id=later.pk, actor=GRACE, now=now)
    html = page_of(staff)
    assert html.index(old.name) < html.index("Later 7")
    assert "Later 1" not in html


def test_many_tasks_take_as_many_queries_as_one(staff, worked, now, django_assert_num_queries):
    with django_assert_num_queries(26):
        page_of(staff)
    for number in range(30):
        task(*[f"Part {n}" for n in range(20)], name=f"Task {number}", now=now)
    with django_assert_num_queries(26):
        assert "32 live" in page_of(staff)


def test_who_may_not_see_tasks_sees_none(client, worked):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename="view_allocation"))
    client.force_login(carol)
    html = page_of(client)
    assert "Live allocations" in html
    assert "tasks-title" not in html
    assert "Posters" not in html


def many_keys(count):
    """Copies of nvidia-1, the last of them the fullest, each with a daily limit."""
    first = ApiKey.objects.get(pk="nvidia-1")
    fields = {f.name: getattr(first, f.name) for f in ApiKey._meta.local_fields}
    api_keys = [ApiKey(**fields | {"slug": f"many-{n}"}) for n in range(count)]
    ApiKey.objects.bulk_create(api_keys)
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
        for api_key in api_keys
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
    html = page_of(staff)
    assert html.index("many-99<") < html.index("many-98<")
    assert "many-3<" not in html


def test_a_section_is_shown_to_who_may_see_its_rows(client, fleet):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(carol)
    html = page_of(client)
    assert "nvidia-1" in html
    assert "Cost today" not in html
    assert fleet.session_id not in html
    assert "Recent events" not in html


def test_the_page_loads_nothing_from_elsewhere_and_needs_no_inline_script(staff, fleet):
    html = staff.get("/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert all(source.startswith(("/", "#", "?")) for source in sources)
    assert "style=" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)
    for source in sources:
        if source.startswith("/static/"):
            assert staff.get(source).status_code == 200
