"""Budgets: the tree with the figures of the books, where they land, and the page of one."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from random import Random

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from gate.models import CentreBinding
from keys import services as keys
from keys.books.queries.spend import slice_start
from keys.models import (
    MEASURES,
    Agent,
    ApiKey,
    CostCentre,
    Grant,
    Limit,
    Period,
    Placement,
    UsageSlice,
    Window,
)
from prediction.run_rate.landing import landing
from security.models import Approval, ApprovalPolicy, AuditEntry
from tests.actors import ACTOR, GRACE
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, limit, report

pytestmark = pytest.mark.django_db
QUERIES_MAX = 20
FIGURES = ("budget", "spent", "committed", "free")
USD_MONTH, TOKENS_DAY = {"unit": "usd", "period": "month"}, {"unit": "tokens", "period": "day"}


@pytest.fixture
def fleet(people, now):
    """Research may spend 50 dollars a month and ada 1M tokens a day; ada has spent 24 cents."""
    add_key("nvidia-1", per_day=None, rates=PAID)
    limit(centre("research"), 50, unit="usd", period="month", now=now)
    limit(agent("ada"), 1_000_000, now=now)
    report(allocate(tokens=100_000, now=now, auto_rotate=False), 80_000, now=now)


def centre(slug):
    return CostCentre.objects.get(pk=slug)


def agent(slug):
    return Agent.objects.get(pk=slug)


def html_of(client, path="/budgets", **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def rows_of(client, **query):
    """The rows of the page by scope."""
    rows = client.get("/budgets", query).context["table"].rows
    return {row["line"].scope: row for row in rows}


def slugs(client, **query):
    return [row["line"].slug for row in rows_of(client, **query).values()]


def used_before(days, cost, *, name="ada", of="research", now, tokens=1000):
    """Usage of the agent on each of the days before today."""
    for number in range(1, days + 1):
        measures = dict.fromkeys(MEASURES, 0) | {"calls": 1, "tokens": tokens, "cost": cost}
        UsageSlice.objects.create(
            starts_at=slice_start(now) - timedelta(days=number),
            api_key=ApiKey.objects.first(),
            agent_id=name,
            cost_centre_id=of,
            placement=Placement.objects.get(cost_centre=of),
            **measures,
        )


def grant_more(of, amount, *, now):
    """Let the limit allow more for an hour."""
    until = now + timedelta(hours=1)
    approval = Approval.objects.create(
        kind="budget_request",
        subject=of.scope,
        change={},
        asked_by_name="ada",
        asked_by_kind="agent",
        asked_persons=["agent:ada"],
        reason="a late report",
        asked_at=now,
        expires_at=until,
    )
    Grant.objects.create(limit=of, amount=amount, starts_at=now, ends_at=until, approval=approval)


def person(client, *codenames, of=None):
    """Dora signs in, with these permissions."""
    dora = get_user_model().objects.create_user("dora", is_staff=True)
    dora.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    if of:
        CentreBinding.objects.create(person=dora, cost_centre_id=of)
    client.force_login(dora)


def random_fleet(random, now):
    """A random tree of cost centres and agents with random limits, in which agents spend."""
    add_key("nvidia-1", per_day=None, rates=PAID)
    centres = []
    for number in range(random.randint(3, 9)):
        parent = random.choice([None, *centres])
        keys.create_cost_centre(f"c-{number}", parent=parent, actor=ACTOR, now=now)
        centres.append(f"c-{number}")
    agents = [f"a-{number}" for number in range(random.randint(2, 5))]
    for name in agents:
        keys.create_agent_without_limits(
            name, cost_centre=random.choice(centres), actor=ACTOR, now=now
        )
    for subject in [*map(centre, centres), *map(agent, agents)]:
        for unit, period in random.sample(
            [(unit, period) for unit in ("usd", "tokens") for period in Period.values],
            random.randint(0, 4),
        ):
            limit(subject, random.randint(10**6, 10**7), unit=unit, period=period, now=now)
    for name in agents:
        allocation = allocate(name, tokens=random.randint(1, 10**5), now=now, auto_rotate=False)
        report(allocation, random.randint(0, allocation.allocated), now=now)


@pytest.mark.parametrize("seed", range(4))
def test_every_figure_is_that_of_the_books(staff, now, seed):
    random_fleet(Random(seed), now)
    seen = set()
    for unit in ("usd", "tokens"):
        for period in Period.values:
            shown = rows_of(staff, unit=unit, period=period)
            for window in Window.objects.filter(unit=unit, limit__period=period):
                row = shown[window.scope]
                expected = (window.amount, window.used, window.committed, window.free)
                assert tuple(row[name] for name in FIGURES) == expected
                seen.add(window.pk)
    assert seen == {*Window.objects.values_list("pk", flat=True)}
    assert_books_balance()


def test_the_tree_has_agents_below_their_cost_centre(staff, fleet, now):
    limit(agent("carol"), 5_000, now=now)
    assert slugs(staff, **TOKENS_DAY) == ["org", "research", "ada", "sales", "carol"]
    html = html_of(staff, **TOKENS_DAY)
    assert '<a href="/budgets/research">' in html
    assert '<a href="/budgets/agents/ada">' in html
    assert '<span class="level-3">ada <small>agent</small></span>' in html


def test_units_and_periods_are_chosen_and_never_shown_together(staff, fleet):
    html = html_of(staff)
    assert '<a href="?unit=usd&period=month" aria-current="true">USD a month</a>' in html
    assert "Tokens a day</a>" in html
    assert rows_of(staff)["centre:research"]["spent"] == Decimal("0.24")
    assert "agent:ada" not in rows_of(staff)
    assert rows_of(staff, **TOKENS_DAY)["agent:ada"]["spent"] == 80_000
    assert "spent" not in rows_of(staff, **TOKENS_DAY)["centre:research"]


@pytest.mark.parametrize(
    "query",
    [
        {"unit": "euro", "period": "month"},
        {"unit": "usd", "period": "week"},
        {"unit": "usd"},
        {"sort": "nonsense", "after": "x"},
        {"sort": "landing", "after": "-1"},
        {"after": "999999999999"},
    ],
)
def test_nonsense_in_the_address_shows_the_first_choice(staff, fleet, query):
    assert slugs(staff, **query) == ["org", "research", "sales"]


def test_a_grant_is_part_of_the_budget_while_it_runs(staff, fleet, now):
    grant_more(Limit.objects.get(agent="ada"), 500_000, now=now)
    row = rows_of(staff, **TOKENS_DAY)["agent:ada"]
    assert (row["budget"], row["free"]) == (1_500_000, 1_400_000)
    html = html_of(staff, "/budgets/agents/ada")
    assert "of it granted" in html
    assert "a late report" in html


def test_a_budget_lands_as_the_month_of_the_overview_does(staff, fleet, now):
    limit(centre("org"), 60, unit="usd", period="month", now=now)
    used_before(20, Decimal("1.5"), now=now)
    month = staff.get("/").context["month"]
    row = rows_of(staff)["centre:org"]
    window = Window.objects.get(scope="centre:org")
    expected = sum(month.landing.rest.values())
    assert abs(row["landing"] - window.used - expected) < Decimal("1e-8")
    assert row["variance"] == row["budget"] - row["landing"]


def test_what_cost_centres_below_used_counts_above_and_not_beside(staff, fleet, now):
    for name in ("org", "sales"):
        limit(centre(name), 60, unit="usd", period="month", now=now)
    used_before(20, Decimal(1), now=now)
    used_before(20, Decimal(2), name="carol", of="sales", now=now)
    today, rows = now.date(), rows_of(staff)
    for scope, cost in (("centre:org", 3), ("centre:research", 1), ("centre:sales", 2)):
        window = Window.objects.get(scope=scope)
        days = {today - timedelta(days=number): Decimal(cost) for number in range(1, 21)}
        if scope != "centre:sales":
            days[today] = Decimal("0.24")
        last_day = (window.ends_at - timedelta(seconds=1)).date()
        found = landing(days, today=today, last_day=last_day, so_far=window.used)
        assert abs(rows[scope]["landing"] - found.cost) < Decimal("1e-8")


def test_red_is_only_what_lands_above_its_budget(staff, fleet, now):
    used_before(20, Decimal(1), now=now)
    assert rows_of(staff)["centre:research"]["outlook"] == ""
    assert 'class="badge over"' not in html_of(staff)
    limit(centre("research"), Decimal("0.25"), unit="usd", period="month", now=now)
    row = rows_of(staff)["centre:research"]
    assert (row["outlook"], row["variance"] < 0) == ("over", True)
    assert 'class="badge over"' in html_of(staff)
    assert "over the budget" in html_of(staff, "/budgets/research")


def test_without_history_and_in_total_nothing_is_expected(staff, fleet, now):
    assert rows_of(staff)["centre:research"]["landing"] is None
    used_before(20, Decimal(1), now=now)
    limit(centre("org"), 60, unit="usd", period="total", now=now)
    row = rows_of(staff, unit="usd", period="total")["centre:org"]
    assert (row["landing"], row["variance"], row["resets_at"]) == (None, None, None)
    assert "it never resets" in html_of(staff, "/budgets/org")


def test_a_bound_person_sees_their_part_only(client, fleet, now):
    limit(centre("sales"), 60, unit="usd", period="month", now=now)
    limit(agent("carol"), 5_000, now=now)
    permissions = ("view_window", "view_charge", "view_limit", "view_auditentry", "change_limit")
    person(client, *permissions, of="research")
    assert slugs(client) == ["research"]
    assert slugs(client, **TOKENS_DAY) == ["research", "ada"]
    assert html_of(client, "/budgets/research").count("/budgets/org") == 0
    for path in ("/budgets/org", "/budgets/sales", "/budgets/agents/carol"):
        assert client.get(path).status_code == 404
        assert client.post(f"{path}?act=limit").status_code == 404
    answer = client.get("/budgets/sales", {"format": "csv", **USD_MONTH})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert not any("60" in line for line in lines[1:2])


def test_the_page_needs_its_permission(client, fleet):
    person(client, "view_apikey")
    for path in ("/budgets", "/budgets/research", "/budgets?format=csv"):
        assert client.get(path).status_code == 403


def test_the_file_has_the_rows_of_the_page(staff, fleet, now):
    used_before(20, Decimal(1), now=now)
    answer = staff.get("/budgets", {"format": "csv"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    row = rows_of(staff)["centre:research"]
    [line] = [line for line in lines if line.startswith("org / research,")]
    assert f"{row['landing']:f}" in line
    assert "0.24" in line


def test_the_page_of_a_budget_has_its_periods_spenders_and_changes(staff, fleet, now):
    html = html_of(staff, "/budgets/research")
    assert "promised to running work, comes back if unused" in html
    assert "/budgets/org" in html
    assert "limit.set" in html
    assert "“test”" in html
    context = staff.get("/budgets/research").context
    [row] = context["windows"].rows
    window = Window.objects.get(scope="centre:research")
    assert (row["budget"], row["used"]) == (window.amount, window.used)
    [agents] = context["spenders"]
    [spender] = agents.table.rows
    assert (spender["name"].value, spender["cost"].value) == ("ada", Decimal("0.24"))
    assert spender["name"].url == "/spend?range=month&cost_centre=research&agent=ada&by=label"
    shown = staff.get(spender["name"].url).context["table"].totals
    assert shown["cost"].value == spender["cost"].value


@pytest.mark.parametrize("period", ["hour", "week", "quarter", "year"])
def test_a_budget_of_each_period_has_its_page(staff, fleet, now, period):
    limit(agent("ada"), 500_000, period=period, now=now)
    asked = {"unit": "tokens", "period": period}
    html = html_of(staff, "/budgets/agents/ada", **asked)
    phrase = "an hour" if period == "hour" else f"a {period}"
    assert f"Tokens {phrase}" in html
    assert f"used in each {period}" in html
    [row] = staff.get("/budgets/agents/ada", asked).context["windows"].rows
    assert (row["budget"], row["used"], row["state"]) == (500_000, 80_000, "running")
    assert slugs(staff, **asked)
    [tasks] = staff.get("/budgets/agents/ada", asked).context["spenders"]
    assert tasks.table.rows[0]["tokens"] == 80_000


def test_above_are_the_parts_with_what_is_paid_directly(staff, fleet, now):
    limit(centre("org"), 60, unit="usd", period="month", now=now)
    keys.create_agent_without_limits("dave", cost_centre="org", actor=ACTOR, now=now)
    report(allocate("dave", tokens=5_000, now=now), 1_000, now=now)
    parts, agents = staff.get("/budgets/org").context["spenders"]
    assert [row["name"].value for row in parts.table.rows] == ["research", "org directly"]
    for row in (*parts.table.rows, *agents.table.rows):
        shown = staff.get(row["cost"].url).context["table"].totals["cost"]
        assert shown.value == row["cost"].value
    window = Window.objects.get(scope="centre:org")
    assert sum(row["cost"].value for row in parts.table.rows) == window.used


def test_closed_periods_stay_as_the_books_closed_them(staff, fleet, now):
    later = now + timedelta(days=1)
    keys.open_windows(now=later)
    windows = Window.objects.filter(scope="agent:ada").order_by("-starts_at")
    rows = staff.get("/budgets/agents/ada").context["windows"].rows
    assert [(row["budget"], row["used"]) for row in rows] == [
        (window.amount, window.used) for window in windows
    ]
    assert [row["used"] for row in rows] == [0, 80_000]
    answer = staff.get("/budgets/agents/ada", {"format": "csv", **TOKENS_DAY})
    assert "80000" in b"".join(answer.streaming_content).decode()


def change(client, path, **asked):
    return client.post(f"{path}?act=limit", {"reason": "as agreed", **asked}, follow=True)


def test_a_limit_is_changed_with_a_reason(staff, fleet):
    of = Limit.objects.get(cost_centre="research")
    answer = change(staff, "/budgets/research", limit=of.pk, amount="75.5")
    assert answer.redirect_chain == [("/budgets/research", 302)]
    assert "The limit of research is 75.5 now." in answer.content.decode()
    of.refresh_from_db()
    assert of.amount == Decimal("75.5")
    assert AuditEntry.objects.filter(action="limit.set", reason="as agreed").exists()
    assert "as agreed" in html_of(staff, "/budgets/research")


def set_alerts(client, **asked):
    return client.post(
        "/budgets/research?act=thresholds", {"reason": "earlier", **asked}, follow=True
    )


def test_the_alerts_of_a_budget_are_shown_and_set_with_a_reason(staff, fleet):
    of = Limit.objects.get(cost_centre="research")
    assert "Alerts at 80 %, 100 %" in html_of(staff, "/budgets/research")
    html = html_of(staff, "/budgets/research", act="thresholds", limit=of.pk)
    assert re.search(r'name="of_organisation"[^>]*checked', html)
    html = set_alerts(staff, limit=of.pk, percents="90,50", amounts="0.2, 12.5").content.decode()
    assert "The alerts of the budget of research are set." in html
    assert "Alerts at $0.20, $12.50, 50 %, 90 %" in html
    of.refresh_from_db()
    assert of.threshold_percents == [50, 90]
    assert AuditEntry.objects.filter(action="limit.set_thresholds", reason="earlier").exists()
    assert keys.watch_thresholds(now=timezone.now()) == 1
    assert "$0.20 (reached" in html_of(staff, "/budgets/research")
    set_alerts(staff, limit=of.pk, of_organisation="on")
    assert "Alerts at 80 %, 100 %" in html_of(staff, "/budgets/research")


def without_tags(html):
    return re.sub(r"<[^>]+>", "", html)


def set_carry_over(client, **asked):
    return client.post(
        "/budgets/research?act=carry-over", {"reason": "agreed", **asked}, follow=True
    )


def test_what_is_carried_over_is_set_shown_and_kept_by_other_changes(staff, fleet, now):
    of = Limit.objects.get(cost_centre="research")
    html = html_of(staff, "/budgets/research")
    assert "Carry over" in html
    assert "Carries over" not in html
    html = set_carry_over(staff, limit=of.pk, carry_over_max="12.5").content.decode()
    assert "The limit of research carries over up to 12.5." in html
    assert "Carries over up to $12.50" in without_tags(html)
    assert 'value="12.5"' in html_of(staff, "/budgets/research", act="carry-over", limit=of.pk)
    change(staff, "/budgets/research", limit=of.pk, amount="60")
    Window.objects.filter(limit=of).update(ends_at=now)
    keys.open_windows(now=timezone.now())
    text = without_tags(html_of(staff, "/budgets/research"))
    assert "$12.50 of it carried over" in text
    assert "$72.50" in text
    (row, _) = staff.get("/budgets/research").context["windows"].rows
    assert (row["budget"], row["carried"]) == (Decimal("72.5"), Decimal("12.5"))
    assert rows_of(staff, **USD_MONTH)["centre:research"]["carried"] == Decimal("12.5")
    limit(centre("research"), 5, unit="usd", period="day", now=now)
    assert 'value="12.5"' not in html_of(staff, "/budgets/research", act="carry-over")
    html = set_carry_over(staff, limit=of.pk, carry_over_max="0").content.decode()
    assert "The limit of research carries nothing over." in html


@pytest.mark.parametrize(
    "asked",
    [{"carry_over_max": "-1"}, {}, {"carry_over_max": "x"}, {"carry_over_max": 1, "reason": ""}],
)
def test_a_carry_over_that_means_nothing_is_not_set(staff, fleet, asked):
    of = Limit.objects.get(cost_centre="research")
    assert "errorlist" in set_carry_over(staff, limit=of.pk, **asked).content.decode()
    of.refresh_from_db()
    assert of.carry_over_max is None


def test_who_may_only_look_sets_no_carry_over(client, fleet):
    person(client, "view_window", "view_limit")
    of = Limit.objects.get(cost_centre="research")
    assert "Carry over" not in html_of(client, "/budgets/research")
    assert set_carry_over(client, limit=of.pk, carry_over_max=1).status_code == 403


@pytest.mark.parametrize(
    "asked",
    [
        {"percents": "0"},
        {"percents": "many"},
        {"amounts": "-1"},
        {"of_organisation": "on", "percents": "50"},
        {"percents": "50", "reason": ""},
    ],
)
def test_alerts_that_mean_nothing_are_not_set(staff, fleet, asked):
    of = Limit.objects.get(cost_centre="research")
    html = set_alerts(staff, limit=of.pk, **asked).content.decode()
    assert "errorlist" in html
    of.refresh_from_db()
    assert of.threshold_percents is None


def test_who_may_only_look_sets_no_alerts(client, fleet):
    person(client, "view_window", "view_limit")
    of = Limit.objects.get(cost_centre="research")
    assert "Set alerts" not in html_of(client, "/budgets/research")
    assert set_alerts(client, limit=of.pk, percents="1").status_code == 403


def test_a_rise_above_the_policy_waits_in_the_inbox(staff, fleet, now):
    ApprovalPolicy.objects.update_or_create(kind="limit", defaults={"in_force_since": now})
    of = Limit.objects.get(cost_centre="research")
    answer = change(staff, "/budgets/research", limit=of.pk, amount="75")
    approval = Approval.objects.get()
    assert f'<a href="/approvals/{approval.pk}">' in answer.content.decode()
    assert approval.asked_by == GRACE.name


def test_a_limit_of_another_cannot_be_changed_here(staff, fleet):
    of = Limit.objects.get(agent="ada")
    html = change(staff, "/budgets/research", limit=of.pk, amount="5").content.decode()
    assert "Select a valid choice" in html
    of.refresh_from_db()
    assert of.amount == 1_000_000


def test_who_may_only_look_changes_no_limit(client, fleet):
    person(client, "view_window", "view_limit")
    html = html_of(client, "/budgets/research", act="limit")
    assert "Change limit" not in html
    assert '<dialog class="act"' not in html
    of = Limit.objects.get(cost_centre="research")
    answer = client.post("/budgets/research?act=limit", {"limit": of.pk, "amount": 1})
    assert answer.status_code == 403


def test_without_a_limit_there_is_none_to_change(staff, fleet):
    html = html_of(staff, "/budgets/sales")
    assert "No limit of its own" in html
    assert "?act=" not in html
    assert staff.get("/budgets/nothing").status_code == 404


def test_an_empty_installation_says_what_to_do_first(staff):
    assert "No cost centres yet" in html_of(staff)


def test_a_large_tree_takes_as_many_queries_as_a_small_one(
    staff, fleet, now, django_assert_max_num_queries
):
    paths = ("/budgets", "/budgets?unit=tokens&period=day", "/budgets/org", "/budgets/agents/ada")
    for path in paths:
        html_of(staff, path)
        with django_assert_max_num_queries(QUERIES_MAX):
            html_of(staff, path)
    for number in range(40):
        slug = f"team-{number}"
        keys.create_cost_centre(slug, parent="org", actor=ACTOR, now=now)
        keys.create_agent_without_limits(f"a-{number}", cost_centre=slug, actor=ACTOR, now=now)
        limit(agent(f"a-{number}"), 1_000, now=now)
    used_before(3, Decimal(1), now=now)
    for path in paths:
        with django_assert_max_num_queries(QUERIES_MAX):
            html_of(staff, path)
    assert "50 of 84" in html_of(staff, **TOKENS_DAY)
    assert len(rows_of(staff, after="50", **TOKENS_DAY)) == 34
