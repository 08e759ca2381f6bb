"""Reports are fetched from providers: what is asked, kept, asked again, and refused."""

from datetime import date, timedelta

import pytest

from common import addresses
from keys.models import Provider
from security.models import AuditEntry
from tests.actors import ACTOR
from tests.keys.builders import add_key, make_people
from tests.moments import NOON
from tests.treasury.fake_vendor import LostError, fake_vendor
from treasury import jobs
from treasury import services as treasury
from treasury.models import ProviderReport, ReportAccess, ReportDay
from treasury.queries import fetched_reports, reports_to_fetch
from treasury.queries.reconciliation import reported
from treasury.reconciliation.report_sources import REPORT_SOURCES
from treasury.refusals import WrongReportAccess

pytestmark = pytest.mark.django_db
SECRET = "sk-admin-0000-1111"
DAY = timedelta(days=1)
TODAY = NOON.date()
SINCE = TODAY - 2 * DAY
COSTS, USAGE = "/organization/costs", "/organization/usage/completions"


@pytest.fixture(autouse=True)
def office(settings):
    settings.PROVIDER_NETWORKS = addresses.networks(["127.0.0.0/8"])
    make_people()
    add_key("openai-1", provider="openai")


def seconds(day):
    return int((NOON - timedelta(hours=12)).timestamp()) + (day - TODAY).days * 86_400


def bucket(day, *results):
    return {"object": "bucket", "start_time": seconds(day), "results": list(results)}


def cost(value, model="gpt-4o"):
    return {
        "amount": {"value": value, "currency": "usd"},
        "line_item": f"{model}, input",
        "api_key_id": "key_1",
    }


@pytest.fixture
def provider():
    """OpenAI's answers. `provider.bills`: dollars by day; `provider.fails`: a status by path."""

    def answer(asked):
        if asked.headers.get("authorization") != f"Bearer {SECRET}":
            return 401, {"error": "no such key"}
        if (failure := vendor.fails.get(asked.path)) is not None:
            if failure == "lost":
                raise LostError
            return (failure, {}) if isinstance(failure, int) else (200, failure)
        since, until = int(asked.query["start_time"]), int(asked.query["end_time"])
        days = [TODAY + number * DAY for number in range(-10, 10)]
        days = [day for day in days if since <= seconds(day) < until]
        if asked.path == USAGE:
            return 200, {"data": [bucket(day) for day in days], "next_page": None}
        # A page for each day, to have several.
        at = int(asked.query.get("page", "0"))
        after = str(at + 1) if at + 1 < len(days) else None
        bills = [cost(vendor.bills[days[at]])] if days[at] in vendor.bills else []
        return 200, {"data": [bucket(days[at], *bills)], "next_page": after}

    with fake_vendor(answer) as vendor:
        vendor.bills, vendor.fails = {SINCE: 3.5, TODAY - DAY: 1}, {}
        yield vendor


def set_access(provider, *, since=SINCE, secret=SECRET, **changes):
    terms = {"source": "openai", "base_url": provider.url, "reason": "x", "now": NOON} | changes
    return treasury.set_report_access("openai", secret=secret, since=since, actor=ACTOR, **terms)


def fetch(now=NOON):
    return treasury.fetch_reports("openai", now=now)


def billed(since=SINCE, until=TODAY):
    lines = reported("openai", since=since, until=until).lines
    return {line.day: line.amount for line in lines}


def test_all_days_that_are_over_are_kept_as_they_came_with_every_page(provider):
    set_access(provider)
    costs, usage = fetch()
    assert (costs.format, costs.since, costs.until) == ("openai_costs", SINCE, TODAY - DAY)
    assert b'"next_page": "1"' in bytes(costs.content) and costs.line_count == 2
    assert (usage.format, usage.line_count) == ("openai_usage", 0)
    assert billed() == {SINCE: 3.5, TODAY - DAY: 1}
    first = provider.asked[0]
    assert (first.method, first.path) == ("GET", COSTS)
    assert first.query["start_time"] == str(seconds(SINCE))
    assert first.query["end_time"] == str(seconds(TODAY))
    assert ReportAccess.objects.get().error == ""


def test_the_same_answer_is_kept_once(provider):
    set_access(provider)
    assert {each.pk for each in fetch()} == {each.pk for each in fetch(NOON + timedelta(hours=1))}
    assert ProviderReport.objects.count() == 2


def test_a_day_is_fetched_until_two_fetches_a_day_apart_agree(provider):
    set_access(provider)
    fetch()
    provider.bills[SINCE] = 4
    # The second fetch differs, so the day must say the same once more.
    for days in range(1, 5):
        fetch(NOON + days * DAY)
    assert billed()[SINCE] == 4
    row = ReportDay.objects.get(format="openai_costs", day=SINCE)
    assert row.first_told_at == NOON + DAY and row.agreed_at == NOON + 2 * DAY
    [found] = fetched_reports()
    # Of the days since, those of the last three days may still change.
    assert found.agreed_until == TODAY
    provider.asked.clear()
    fetch(NOON + 4 * DAY + timedelta(hours=1))
    assert provider.asked[0].query["start_time"] == str(seconds(TODAY + DAY))


def test_a_day_that_says_less_later_says_nothing_of_what_it_said_before(provider):
    set_access(provider)
    fetch()
    del provider.bills[SINCE]
    fetch(NOON + DAY)
    assert billed() == {TODAY - DAY: 1}


def test_a_day_within_the_last_three_is_never_final(provider):
    set_access(provider)
    for hours in (0, 24, 36):
        fetch(NOON + timedelta(hours=hours))
    assert not ReportDay.objects.filter(day=TODAY - DAY, agreed_at__isnull=False).exists()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (401, "OpenAI: costs: The provider answered HTTP 401."),
        (500, "OpenAI: costs: The provider answered HTTP 500."),
        ("lost", "OpenAI: costs: The provider did not answer: ConnectionError."),
        (b"<html>", "OpenAI: costs: The answer is no JSON."),
        (b'{"next_page": null}', "OpenAI: costs: Page 1 has no list named data."),
        (b'{"data": [{"start_time": 1}]}', "the field results is missing"),
    ],
)
def test_what_cannot_be_fetched_is_told_and_the_rest_is_kept(provider, failure, words):
    set_access(provider)
    provider.fails[COSTS] = failure
    assert [each.format for each in fetch()] == ["openai_usage"]
    assert words in ReportAccess.objects.get().error
    # It is due again at once, and tells no more of the error when it works.
    assert reports_to_fetch(now=NOON + timedelta(hours=1)) == ["openai"]
    del provider.fails[COSTS]
    fetch(NOON + timedelta(hours=1))
    assert ReportAccess.objects.get().error == ""


def test_pages_without_an_end_end(provider):
    set_access(provider)
    provider.fails[COSTS] = b'{"data": [], "next_page": "again"}'
    fetch()
    assert "more than 50 pages" in ReportAccess.objects.get().error


def test_it_is_due_once_a_day(provider):
    set_access(provider)
    assert reports_to_fetch(now=NOON) == ["openai"]
    fetch()
    assert reports_to_fetch(now=NOON + timedelta(hours=22)) == []
    assert reports_to_fetch(now=NOON + timedelta(hours=24)) == ["openai"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": ""}, "Enter the admin key"),
        ({"source": "deepseek"}, "cannot be fetched"),
        ({"base_url": "https://10.1.2.3/v1"}, "not a public address"),
        ({"since": TODAY}, "Begin before today"),
        ({"since": TODAY - 400 * DAY}, "at most 366 days"),
    ],
)
def test_what_does_not_go_together_is_refused(provider, changes, words):
    with pytest.raises(WrongReportAccess, match=words):
        set_access(provider, **changes)
    assert not ReportAccess.objects.exists()


def test_the_secret_is_sealed_and_in_no_entry_and_is_forgotten(provider):
    access = set_access(provider)
    assert SECRET.encode() not in bytes(access.sealed)
    entry = AuditEntry.objects.get(action="report_access.set")
    assert entry.subject == "provider:openai" and SECRET not in str(entry.after)
    fetch()
    for removed in (True, False):
        assert treasury.remove_report_access("openai", reason="x", actor=ACTOR, now=NOON) is removed
    assert ProviderReport.objects.count() == 2 and jobs.fetch_reports_of("openai") == 0


def test_anthropic_without_the_new_report_gives_the_older_one():
    Provider.objects.get_or_create(pk="anthropic", defaults={"name": "Anthropic"})

    def answer(asked):
        assert asked.headers["x-api-key"] == SECRET
        if asked.path == "/organizations/analytics/cost":
            assert asked.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
            return 404, {}
        rows = [{"amount": "150", "currency": "USD", "model": "claude-opus-4-6"}]
        rows = rows if asked.path == "/organizations/cost_report" else []
        days = [{"starting_at": f"{SINCE}T00:00:00Z", "results": rows}]
        return 200, {"data": days, "has_more": False, "next_page": None}

    with fake_vendor(answer) as vendor:
        treasury.set_report_access(
            "anthropic",
            source="anthropic",
            base_url=vendor.url,
            secret=SECRET,
            since=SINCE,
            reason="x",
            actor=ACTOR,
            now=NOON,
        )
        cost_report, _ = treasury.fetch_reports("anthropic", now=NOON)
    assert cost_report.format == "anthropic_cost" and cost_report.line_count == 1
    assert ReportAccess.objects.get().error == ""


def test_openrouter_is_asked_day_by_day_as_far_as_it_tells():
    Provider.objects.get_or_create(pk="openrouter", defaults={"name": "OpenRouter"})
    usage = {"model": "m", "usage": 0.5, "requests": 2, "prompt_tokens": 5, "completion_tokens": 1}
    with fake_vendor(
        lambda asked: (200, {"data": [{"date": asked.query["date"], **usage}]})
    ) as vendor:
        treasury.set_report_access(
            "openrouter",
            source="openrouter",
            base_url=vendor.url,
            secret=SECRET,
            since=TODAY - 40 * DAY,
            reason="x",
            actor=ACTOR,
            now=NOON,
        )
        assert len(treasury.fetch_reports("openrouter", now=NOON)) == 30
    assert [each.query["date"] for each in vendor.asked][::29] == [
        str(TODAY - 30 * DAY),
        str(TODAY - DAY),
    ]


def test_each_request_has_the_groups_that_its_report_is_read_by():
    day = date(2026, 3, 10)
    told = {
        report.format: [value for name, value in report.query(day, day) if "group" in name]
        for source in REPORT_SOURCES.values()
        for report in source.reports
    }
    assert told == {
        "openai_costs": ["line_item", "api_key_id"],
        "openai_usage": ["model", "api_key_id"],
        "anthropic_cost": ["api_key_id", "model"],
        "anthropic_usage": ["api_key_id", "model"],
        "openrouter_activity": [],
    }
