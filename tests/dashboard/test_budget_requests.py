"""The page on which people ask for more budget, to which refusals lead."""

from datetime import timedelta
from html import unescape
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from common import links
from gate.models import CentreBinding
from keys import services as keys
from keys.models import Agent, CostCentre
from keys.refusals import LimitReached
from security import services as security
from security.models import Approval
from tests.actors import ACTOR, OLGA
from tests.gate.approvals import person
from tests.keys.builders import PAID, add_key, allocate, limit

pytestmark = pytest.mark.django_db
NEW = "/budget-requests/new"
QUERIES_MAX = 20


@pytest.fixture
def fleet(people, now):
    """Ada may use 1,000 tokens a day, and research 50 dollars a month."""
    add_key("nvidia-1", per_day=None, rates=PAID)
    limit(Agent.objects.get(pk="ada"), 1_000, now=now)
    limit(CostCentre.objects.get(pk="research"), 50, unit="usd", period="month", now=now)


def shown(client, path=NEW, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer


def refusal_link(now, tokens=2_500):
    """The path of the page to which the refusal of an allocation leads."""
    with pytest.raises(LimitReached) as refusal:
        allocate(tokens=tokens, now=now)
    url = urlsplit(refusal.value.ask_page)
    return f"{url.path}?{url.query}"


def sent(client, path, **changes):
    """Send the form as the page shows it, with other values."""
    form = client.get(path).context["form"]
    values = {**form.data, "shown": form.values, "reason": "a late report"} | changes
    return client.post(path, values)


def test_the_link_of_a_refusal_leads_to_the_form_with_the_limit_and_what_was_needed(
    staff, fleet, now
):
    page = shown(staff, refusal_link(now))
    meter = page.context["form"].meters[page.context["form"].data["limit"]]
    assert (meter.scope, meter.unit, meter.period) == ("agent:ada", "tokens", "day")
    assert page.context["form"].data["amount"] == "2500"
    html = unescape(page.content.decode())
    assert "it may use 2,500 tokens more per day: 3,500 tokens would be free now." in html
    assert 'type="datetime-local"' in html


def test_the_link_of_a_session_leads_to_the_tightest_limit_of_its_agent(staff, fleet, now):
    session = allocate(tokens=900, now=now).session_id
    form = shown(staff, session=session, needed="700").context["form"]
    meter = form.meters[form.data["limit"]]
    assert (meter.scope, meter.free, form.data["amount"]) == ("agent:ada", 100, "700")


def test_what_was_asked_is_a_request_that_another_person_decides(staff, fleet, now):
    answer = sent(staff, refusal_link(now))
    asked = Approval.objects.get()
    assert answer["Location"] == links.url("approval", asked.pk)
    assert (asked.asked_by, asked.subject, asked.reason) == ("grace", "agent:ada", "a late report")
    assert asked.change["amount"] == "2500"
    page = unescape(staff.get(answer["Location"]).content.decode())
    assert "Withdraw" in page
    assert "Approve" not in page.replace("Approvals", "").replace("approve", "")
    person("olga")
    security.approve(asked.pk, actor=OLGA, now=timezone.now())
    allocate(tokens=2_500, now=timezone.now())


def test_a_form_that_is_sent_twice_is_one_request(staff, fleet, now):
    path = refusal_link(now)
    form = staff.get(path).context["form"]
    values = {**form.data, "shown": form.values, "reason": "x"}
    assert staff.post(path, values)["Location"] == staff.post(path, values)["Location"]
    assert Approval.objects.count() == 1


def test_nothing_is_sent_before_its_effect_was_shown(staff, fleet, now):
    path = refusal_link(now)
    page = sent(staff, path, amount="7000")
    assert "it may use 7,000 tokens more" in page.content.decode()
    assert "values that you changed" in page.content.decode()
    assert not Approval.objects.exists()
    seen = page.context["form"]
    staff.post(path, {**seen.data.dict(), "shown": seen.values})
    assert Approval.objects.get().change["amount"] == "7000"


def test_the_effect_is_shown_without_a_reason(staff, fleet, now):
    page = sent(staff, refusal_link(now), amount="7000", reason="", show="1")
    assert "it may use 7,000 tokens more" in page.content.decode()
    assert not page.context["form"].errors


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "1.5"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "9" * 40}, "amount"),
        ({"until": "2020-01-01T00:00"}, "until"),
        ({"until": "9999-12-31T23:59"}, "until"),
        ({"until": "soon"}, "until"),
        ({"limit": "0"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"key": ""}, "key"),
    ],
)
def test_wrong_values_are_said_beside_their_fields(staff, fleet, now, changes, field):
    page = sent(staff, refusal_link(now), **changes)
    assert page.status_code == 200
    assert field in page.context["form"].errors
    assert not Approval.objects.exists()


@pytest.mark.parametrize("needed", ["x", "-5", "1e400", "", "%00", "1,5"])
def test_a_link_with_anything_in_it_shows_the_form(staff, fleet, needed):
    assert shown(staff, scope="agent:ada", needed=needed).context["effect"] == ""


@pytest.mark.parametrize("query", [{"scope": "agent:nobody"}, {"scope": "x"}, {"session": "x"}])
def test_what_does_not_exist_is_not_found(staff, fleet, query):
    assert staff.get(NEW, query).status_code == 404


def test_without_a_limit_there_is_nothing_to_ask_for(staff, people, fleet):
    assert "No limit here" in shown(staff, scope="centre:sales").content.decode()
    assert staff.get(NEW)["Location"] == links.url("budgets")


def test_people_who_are_bound_to_a_cost_centre_ask_for_what_they_see(client, fleet, now):
    keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=now)
    keys.create_agent_without_limits("lea", cost_centre="lab", actor=ACTOR, now=now)
    limit(Agent.objects.get(pk="lea"), 700, now=now)
    dora = get_user_model().objects.create_user("dora", is_staff=True)
    names = ("view_window", "request_budget", "view_approval")
    dora.user_permissions.set(Permission.objects.filter(codename__in=names))
    CentreBinding.objects.create(person=dora, cost_centre_id="lab")
    client.force_login(dora)
    assert client.get(NEW, {"scope": "agent:ada"}).status_code == 404
    assert client.get(NEW, {"scope": "centre:research"}).status_code == 404
    meters = shown(client, scope="agent:lea").context["form"].meters.values()
    assert [meter.scope for meter in meters] == ["agent:lea"]
    assert sent(client, f"{NEW}?scope=agent:lea&needed=5").status_code == 302


def test_people_without_the_permission_cannot_ask(client, fleet, now):
    client.force_login(person("dora"))
    assert client.get(NEW, {"scope": "agent:ada"}).status_code == 403
    client.logout()
    answer = client.get(refusal_link(now))
    assert answer["Location"].startswith("/admin/login/?next=/budget-requests/new%3Fscope")


def test_the_page_takes_few_queries(staff, fleet, django_assert_max_num_queries, now):
    with django_assert_max_num_queries(QUERIES_MAX):
        shown(staff, refusal_link(now))


def test_the_time_is_that_of_the_reporting_zone(staff, fleet, now):
    keys.change_organisation(reporting_zone="Asia/Kolkata", actor=ACTOR, reason="x", now=now)
    path, until = refusal_link(now), now.replace(second=0, microsecond=0) + timedelta(hours=5)
    local = f"{until.astimezone(ZoneInfo('Asia/Kolkata')):%Y-%m-%dT%H:%M}"
    form = sent(staff, path, until=local).context["form"]
    staff.post(path, {**form.data.dict(), "shown": form.values})
    assert Approval.objects.get().change["until"] == until.isoformat()
