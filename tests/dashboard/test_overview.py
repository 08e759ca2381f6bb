"""The Overview: what to decide, the month, who moved it, what runs and what is left."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import urljoin

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils import timezone

from alerts import services as alerts
from gate.models import CentreBinding
from keys import alert_kinds
from keys import services as keys
from keys.models import MEASURES, Agent, ApiKey, CostCentre, Grant, Placement, UsageSlice, Window
from orchestration import services as tasks
from security.actor import Actor
from security.models import Approval, ApprovalPolicy
from tests.actors import GRACE
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = pytest.mark.django_db
# With the session, the person, their rights and what waits in the rail.
QUERIES = 20
LINK = re.compile(r'<a[^>]* href="([^"#]+)"')


@pytest.fixture
def fleet(people, now):
    """A fleet at work: ada spends on a paid key, an alert is open, a key is off."""
    limit(add_key("nvidia-1", per_day=None, rates=PAID), 1_000_000, now=now)
    limit(add_key("nvidia-2", per_day=None, rates=PAID), 500_000, now=now)
    keys.set_key_status("nvidia-2", status="inactive", reason="on holiday", actor=GRACE, now=now)
    allocation = allocate(tokens=100_000, now=now, auto_rotate=False)
    report(allocation, 80_000, now=now)
    return allocation


def page_of(client, **query):
    """The page as text, with entities resolved."""
    answer = client.get("/", query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def section_of(html, name):
    """The section with this id."""
    assert f'id="{name}"' in html
    return html.partition(f'id="{name}"')[2].partition("</section>")[0]


def slice_of(agent, centre, at, *, cost, calls=1):
    """What the agent spent in the quarter of an hour of `at`, on any key."""
    at = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    measures = dict.fromkeys(MEASURES, 0) | {"calls": calls, "tokens": 1000, "cost": Decimal(cost)}
    UsageSlice.objects.create(
        starts_at=at,
        api_key=ApiKey.objects.first(),
        agent_id=agent,
        cost_centre_id=centre,
        placement=Placement.objects.get(cost_centre=centre),
        **measures,
    )


def require_approvals(kind, *, role=None):
    """Each rise of this kind needs a second person."""
    terms = {"in_force_since": timezone.now(), "role": role}
    ApprovalPolicy.objects.update_or_create(kind=kind, defaults=terms)


def grant_more(of, amount, *, now):
    """Let the limit allow more for an hour."""
    until = now + timedelta(hours=1)
    approval = Approval.objects.create(
        kind="budget_request",
        subject=of.scope,
        change={},
        asked_persons=["agent:ada"],
        asked_at=now,
        expires_at=until,
    )
    Grant.objects.create(limit=of, amount=amount, starts_at=now, ends_at=until, approval=approval)


def test_the_page_needs_a_sign_in(client):
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.url == "/admin/login/?next=/"


def test_an_agent_programmer_without_staff_rights_sees_nothing(client):
    client.force_login(get_user_model().objects.create_user("carol"))
    assert client.get("/").status_code == 302


def test_an_empty_page_says_what_to_do_first(staff):
    html = page_of(staff)
    assert "Start here" in html
    assert reverse("admin:keys_apikey_add") in html
    assert reverse("dashboard:agents") in html
    assert "Nothing has been spent this month" in html
    assert "No API keys yet" in html
    assert "No task is open" in html


def test_the_month_is_shown_with_today_calls_and_tokens(staff, fleet):
    html = section_of(page_of(staff), "month-figures")
    assert "$0.24" in html
    assert ">1</a>" in html
    assert ">80k</data>" in html
    assert "1 today" in html
    assert "after 14 days with spend; there are 0 so far" in html


def test_the_budget_is_the_limit_of_the_cost_centre_at_the_top_with_its_grants(staff, fleet, now):
    root = CostCentre.objects.get(pk="org")
    limit(root, Decimal("0.20"), unit="usd", period="month", now=now)
    html = section_of(page_of(staff), "month-figures")
    assert ">$0.20</data>" in html
    assert "$0.24 of $0.20 spent" in html
    assert "butler-bar-hot" in html
    grant_more(root.limits.get(), Decimal("0.80"), now=now)
    assert "$0.24 of $1.00 spent" in page_of(staff)


def test_the_month_lands_where_the_run_rate_leads(staff, fleet, now):
    for days_ago in range(1, 57):
        slice_of("ada", "org", now - timedelta(days=days_ago), cost=200)
    limit(CostCentre.objects.get(pk="org"), 300, unit="usd", period="month", now=now)
    html = section_of(page_of(staff), "month-figures")
    assert "4 times in 5 between" in html
    assert "above budget" in html
    keys.change_organisation(
        landing_warning_percent=1000, actor=GRACE, reason="we know", now=timezone.now()
    )
    limit(CostCentre.objects.get(pk="org"), 5900, unit="usd", period="month", now=now)
    assert "above budget" not in page_of(staff)


def test_today_is_compared_with_the_same_day_of_last_week_at_this_time(staff, people, now):
    add_key("nvidia-1")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    week_ago = midnight - timedelta(days=7)
    with time_machine.travel(midnight + timedelta(hours=9, minutes=50), tick=False):
        slice_of("ada", "org", midnight, cost=12)
        slice_of("ada", "org", midnight + timedelta(hours=9, minutes=30), cost=12)
        slice_of("ada", "org", week_ago + timedelta(hours=9, minutes=30), cost=20)
        # Later than now, so it is not compared.
        slice_of("ada", "org", week_ago + timedelta(hours=9, minutes=45), cost=70)
        html = section_of(page_of(staff), "month-figures")
    assert re.search(r"\+\s*<data[^>]*>20\.0%</data>", html)
    assert f"last {week_ago:%A}</a> by 09:45" in html


@pytest.mark.parametrize(
    ("stack", "names"),
    [
        ("", ["org directly", "research"]),
        ("cost_centre", ["org directly", "research"]),
        ("provider", ["nvidia"]),
        ("model", ["model-1"]),
        ("' OR 1=1", ["org directly", "research"]),
    ],
)
def test_the_bars_are_stacked_as_the_page_is_asked(staff, fleet, now, stack, names):
    slice_of("ada", "org", now, cost=Decimal("0.01"))
    answer = staff.get("/", {"by": stack})
    chart = answer.context["chart"]
    assert [each.name for each in chart.legend] == sorted(names, reverse=True)
    assert chart.table.totals["total"] == Decimal("0.25")


def test_many_groups_are_eight_and_others_and_still_add_up(staff, fleet, now):
    for number in range(9):
        keys.create_cost_centre(f"team-{number}", parent="org", actor=GRACE, now=now)
        slice_of("ada", f"team-{number}", now, cost=number + 1)
    chart = staff.get("/").context["chart"]
    assert [each.name for each in chart.legend][-2:] == ["team-1", "Other"]
    assert len(chart.legend) == 9
    assert chart.table.totals["total"] == 45 + Decimal("0.24")


def test_what_is_expected_is_lighter_and_in_no_sum(staff, fleet, now):
    for days_ago in range(1, 20):
        slice_of("ada", "org", now - timedelta(days=days_ago), cost=1)
    answer = staff.get("/")
    chart, month = answer.context["chart"], answer.context["month"]
    assert chart.legend[-1].name == "Expected"
    assert chart.table.totals["total"] == month.spend.cost
    assert 'class="series-other expected"' in chart.svg


def test_who_spent_more_than_usual_is_named_with_the_reason(staff, fleet, now):
    for days_ago in range(1, 28):
        cost = 5 if days_ago < 7 else 1
        slice_of("bob", "research", now - timedelta(days=days_ago), cost=cost)
    html = section_of(page_of(staff), "movers")
    assert "bob" in html
    assert "5.0 times the cost of a token." in html


def test_every_figure_leads_to_a_page_that_opens(staff, worked):
    links = set(LINK.findall(staff.get("/").content.decode()))
    assert len(links) > 20
    for link in links:
        answer = staff.get(urljoin("/", unescape(link)))
        assert answer.status_code == 200, link
        if "changelist" in answer.resolver_match.url_name:
            assert "e=1" not in answer.request["QUERY_STRING"], link


def test_nothing_waits_when_nothing_does(staff, fleet):
    assert "Nothing waits for you." in section_of(page_of(staff), "to-decide")


def test_critical_alerts_wait_and_others_do_not(staff, fleet, now):
    for kind in (alert_kinds.KEY_COOLING, alert_kinds.KEY_BROKEN):
        title = f"it is {kind.severity}"
        alerts.raise_alert(kind=kind, dedup_key=kind.slug, title=title, now=now)
    html = section_of(page_of(staff), "to-decide")
    assert "it is critical" in html
    assert "it is warning" not in html


def test_many_alerts_are_a_few_and_a_link(staff, fleet, now):
    for number in range(9):
        alerts.raise_alert(
            kind=alert_kinds.KEY_BROKEN, dedup_key=str(number), title=f"No. {number}", now=now
        )
    html = section_of(page_of(staff), "to-decide")
    assert html.count("No. ") == 5
    assert "More like this" in html


def test_an_approval_waits_for_a_second_person_only(client, staff, fleet, now):
    require_approvals("limit")
    carol = get_user_model().objects.create_superuser("carol")
    keys.propose_limit(
        ApiKey.objects.get(pk="nvidia-1"),
        terms=keys.Terms(unit="tokens", period="day", amount=9_000_000),
        reason="the benchmark needs more",
        actor=Actor.person("carol"),
        now=now,
    )
    assert "the benchmark needs more" in section_of(page_of(staff), "to-decide")
    client.force_login(carol)
    assert "Nothing waits for you." in page_of(client)


def test_an_approval_of_another_group_does_not_wait(staff, fleet, now):
    require_approvals("limit", role=Group.objects.create(name="board"))
    keys.propose_limit(
        ApiKey.objects.get(pk="nvidia-1"),
        terms=keys.Terms(unit="tokens", period="day", amount=9_000_000),
        reason="more",
        actor=Actor.person("carol"),
        now=now,
    )
    assert "Nothing waits for you." in page_of(staff)


@pytest.mark.parametrize(
    ("used", "says"),
    [
        (400, ""),
        (600, "at this pace it lasts until 21 Nov 00:00"),
        (1000, "nothing is left"),
    ],
)
def test_a_budget_that_will_not_last_waits(staff, people, used, says):
    day = datetime(2026, 11, 13, tzinfo=UTC)
    limit(Agent.objects.get(pk="ada"), 1000, period="month", now=day)
    Window.objects.update(used=used)
    with time_machine.travel(day, tick=False):
        html = section_of(page_of(staff), "to-decide")
    assert ("The budget of ada will not last" in html) == bool(says)
    assert says in html


def test_a_budget_says_nothing_in_the_first_tenth_of_its_period_nor_without_one(staff, people):
    first = datetime(2026, 11, 2, tzinfo=UTC)
    limit(Agent.objects.get(pk="ada"), 1000, period="month", now=first)
    limit(Agent.objects.get(pk="bob"), 1000, period="total", now=first)
    Window.objects.update(used=900)
    with time_machine.travel(first, tick=False):
        assert "will not last" not in page_of(staff)


def test_keys_that_are_out_wait(staff, fleet):
    ApiKey.objects.filter(pk="nvidia-1").update(status="broken", status_reason="401 invalid key")
    html = section_of(page_of(staff), "to-decide")
    assert "The API key nvidia-1 is broken" in html
    assert "401 invalid key" in html
    assert "nvidia-2" not in html


def test_capacity_is_by_provider_the_least_free_first_with_idle_ones_folded(staff, fleet, now):
    keys.add_provider("groq", name="Groq", base_url="https://groq.test", actor=GRACE, now=now)
    keys.add_provider("zai", name="Zai", base_url="https://zai.test", actor=GRACE, now=now)
    limit(add_key("groq-1", provider="groq", per_day=None), 1000, now=now)
    add_key("zai-1", provider="zai")
    Window.objects.filter(scope="key:groq-1").update(used=900)
    html = section_of(page_of(staff), "capacity")
    assert (
        html.index(">groq<") < html.index(">nvidia<") < html.index("<details") < html.index("zai")
    )
    assert ">900k</data></b> free of" in html
    assert "80k used and 20k committed of 1M tokens" in html
    assert "1 idle provider" in html
    assert "nvidia-2" not in html


def test_the_tightest_limit_of_a_key_is_its_capacity_and_a_key_that_is_out_has_none(
    staff, fleet, now
):
    limit(ApiKey.objects.get(pk="nvidia-1"), 90_000, period="month", now=now)
    html = section_of(page_of(staff), "capacity")
    assert ">0</data></b> free of" in html
    ApiKey.objects.filter(pk="nvidia-1").update(status="exhausted")
    assert "0 of 1 keys active" in page_of(staff)


def test_a_window_whose_period_has_ended_counts_as_reset(staff, people, now):
    add_key("nvidia-1", per_day=1_000_000)
    assert not Window.objects.filter(ends_at__gt=now).exists()
    Window.objects.update(used=400_000)
    assert ">1M</data></b> free of" in section_of(page_of(staff), "capacity")


def test_live_allocations_are_one_number(staff, fleet):
    html = section_of(page_of(staff), "running")
    assert "1 live allocation<" in html
    assert "1 needs rotation" in html
    assert fleet.session_id not in html


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


def test_open_tasks_are_shown_with_their_parts_and_tokens(staff, worked):
    html = section_of(page_of(staff), "running")
    assert "0 of 2 done, 1 running" in html
    assert "1 to approve" in html
    assert "needs approval" in html
    assert html.index("Launch") < html.index("Posters")
    assert "Report" not in html, "it has ended"
    assert "much" not in html, "a page that many see has no texts"


def test_many_tasks_are_a_few_and_a_link(staff, people, now):
    for number in range(8):
        task("Print", name=f"Task {number}", now=now)
    html = section_of(page_of(staff), "running")
    assert "Task 7" in html
    assert "Task 1" not in html
    assert "All open tasks" in html


def test_a_thousand_keys_and_many_tasks_take_as_many_queries_as_few(
    staff, worked, now, django_assert_num_queries
):
    page_of(staff)
    with django_assert_num_queries(QUERIES):
        page_of(staff)
    many_keys(1_000)
    for number in range(30):
        task(*[f"Part {n}" for n in range(20)], name=f"Task {number}", now=now)
    with django_assert_num_queries(QUERIES):
        page_of(staff)


@pytest.mark.parametrize(
    ("permission", "section"),
    [
        ("view_charge", "month-figures"),
        ("view_charge", "movers"),
        ("view_apikey", "capacity"),
        ("view_allocation", "running"),
        ("view_task", "running"),
    ],
)
def test_a_section_is_shown_to_who_may_see_its_rows(client, worked, permission, section):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    client.force_login(carol)
    assert f'id="{section}"' not in page_of(client)
    carol.user_permissions.set(Permission.objects.filter(codename=permission))
    client.force_login(get_user_model().objects.get(pk=carol.pk))
    html = page_of(client)
    assert f'id="{section}"' in html
    assert ("Posters" in html) == (permission == "view_task")


def test_who_is_bound_to_a_cost_centre_sees_its_spend_and_no_key(client, fleet, now):
    slice_of("carol", "sales", now, cost=77)
    limit(CostCentre.objects.get(pk="org"), 999, unit="usd", period="month", now=now)
    limit(CostCentre.objects.get(pk="research"), 5, unit="usd", period="month", now=now)
    ApiKey.objects.filter(pk="nvidia-1").update(status="broken")
    dora = get_user_model().objects.create_user("dora", is_staff=True)
    dora.groups.set(Group.objects.filter(name="finance"))
    CentreBinding.objects.create(person=dora, cost_centre_id="research")
    client.force_login(dora)
    html = page_of(client)
    month = section_of(html, "month-figures")
    assert "$0.24" in month
    assert ">$5.00</data>" in month
    assert "77" not in month
    assert "nvidia" not in html
    assert "sales" not in html
    assert 'id="capacity"' not in html
    assert "nvidia" not in page_of(client, by="cost_centre")


def many_keys(count):
    """Copies of nvidia-1, each with a daily limit."""
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
        )
        for each in limits
    )


def test_no_secret_is_shown(staff, fleet):
    assert "secret-nvidia" not in page_of(staff)


def test_the_page_loads_nothing_from_elsewhere_and_needs_no_inline_script(staff, fleet):
    html = staff.get("/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert all(source.startswith(("/", "#", "?")) for source in sources)
    assert "style=" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)
    for source in sources:
        if source.startswith("/static/"):
            assert staff.get(source).status_code == 200
