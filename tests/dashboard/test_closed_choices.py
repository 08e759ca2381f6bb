"""What is closed, switched off or hidden is offered nowhere that something new begins.

The test walks the pages with each dialog that they link to, and the forms of the admin.
"""

import re
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from alerts import services as alerts
from gate import services as gate
from gate.models import CentreBinding
from keys import services as keys
from keys.models import CostCentre, Limit
from keys.refusals import CostCentreClosed
from reports import services as reports
from security.actor import Actor
from tests.actors import ACTOR
from tests.browser.own_pages import OWN_PAGES
from tests.keys.builders import NOON, add_key, limit
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
OF_ADMIN = ("/admin/auth/user/invite/", "/admin/auth/user/{person}/set_access/")
ENDED = {"gone", "gone-agent", "gone-key"}
# Where an open cost centre is offered: an empty walk finds nothing wrong.
OFFERING = {
    "/agents?act=add",
    "/alerts/routes?act=add",
    "/alerts/rules?act=add",
    "/approvals?act=rule",
    "/reports/forecasts?act=share",
    "/reports/shared-costs?act=split",
    "/reports/shared-costs?act=mark-up",
    "/settings/cost-centres?act=add",
    "/settings/cost-centres?act=move-sales",
    "/settings/me?act=deputy",
    "/settings/people?act=invite",
    *OF_ADMIN,
}


class Choices(HTMLParser):
    """What a page offers: in forms that are sent, and in filters, which have the past, too."""

    def __init__(self, page):
        super().__init__()
        self.sent, self.filters, self._method, self._filter = set(), {}, "get", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "form":
            self._method = values.get("method", "get").lower()
        elif tag == "option" or values.get("type") in ("radio", "checkbox"):
            value = values.get("value") or ""
            if self._method == "post":
                self.sent.add(value)
            else:
                self._filter = value

    def handle_data(self, data):
        if self._filter:
            self.filters[self._filter] = data.strip()
        self._filter = ""


@pytest.fixture
def ended(people):
    """A cost centre that is closed, an agent that is switched off, a key that is hidden."""
    for slug in ("gone-key", "nvidia-1"):
        add_key(slug)
    keys.hide_key("gone-key", reason="mistyped", actor=ACTOR, now=NOON)
    keys.create_cost_centre("gone", parent="org", actor=ACTOR, now=NOON)
    keys.create_agent_without_limits("gone-agent", cost_centre="gone", actor=ACTOR, now=NOON)
    close()


def close():
    keys.close_cost_centre("gone", reason="merged", actor=ACTOR, now=NOON)


@pytest.fixture
def grace(db):
    """A client of a person who may do everything."""
    person = get_user_model().objects.create_superuser("grace", email="grace@example.org")
    client = Client()
    client.force_login(person)
    return confirm(client, person)


def pages(client):
    """Each page with each of its dialogs, by its address."""
    todo = {addresses[0] for addresses in OWN_PAGES.values()}
    seen = set()
    while todo - seen:
        address = sorted(todo - seen)[0]
        seen.add(address)
        answer = client.get(address)
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            page = answer.content.decode()
            yield address, page
            # Without those that only sort what is behind the dialog.
            links = re.findall(r'href="([^"?]*\?act=[\w-]+)"', page)
            todo |= {urljoin(address, each) for each in links}


def test_nothing_new_can_name_what_has_ended(ended, grace):
    person = get_user_model().objects.create_user("tom", is_staff=True)
    found, wrong = {}, []
    of_admin = [each.format(person=person.pk) for each in OF_ADMIN] + [
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/"
        for model in admin.site._registry
    ]
    answers = [(each, grace.get(each)) for each in of_admin]
    shown = [(each, a.content.decode()) for each, a in answers if a.status_code == 200]
    for address, page in [*pages(grace), *shown]:
        choices = found[address] = Choices(page)
        wrong += [(address, each) for each in choices.sent & ENDED]
        # A filter says what has ended.
        wrong += [
            (address, each)
            for each, title in choices.filters.items()
            if each in ENDED and title == each
        ]
    assert wrong == []
    offering = {address for address, each in found.items() if {"research", "sales"} & each.sent}
    assert offering >= {each.format(person=person.pk) for each in OFFERING}
    assert found["/agents"].filters["gone"] == "org / gone (closed)"


def test_fields_of_the_admin_complete_only_what_is_open(ended, grace):
    def completed(model, field, app="keys"):
        query = {"app_label": app, "model_name": model, "field_name": field, "term": ""}
        answer = grace.get("/admin/autocomplete/", query).json()
        return {each["id"] for each in answer["results"]}

    assert completed("agent", "cost_centre") == {"org", "research", "sales"}
    assert "gone" not in completed("costcentre", "parent")
    assert completed("command", "agents", "orchestration") == {"ada", "bob", "carol"}
    # The list has all.
    assert "/admin/keys/costcentre/gone/" in grace.get("/admin/keys/costcentre/").content.decode()


def test_what_names_a_closed_one_already_can_be_changed(people, grace):
    keys.create_cost_centre("gone", parent="org", actor=ACTOR, now=NOON)
    route = alerts.add_route(
        alerts.RouteTerms(name="old", cost_centre="gone", roles=["finance"]), actor=ACTOR, now=NOON
    )
    reports.change_mark_up(
        CostCentre.objects.get(pk="gone"), percent=5, actor=ACTOR, reason="agreed", now=NOON
    )
    tom = get_user_model().objects.create_user("tom", is_staff=True)
    tom.groups.set(Group.objects.filter(name="viewer"))
    CentreBinding.objects.create(person=tom, cost_centre_id="gone")
    close()
    for address in (
        f"/alerts/routes/{route.pk}?act=change",
        f"/settings/people/{tom.pk}?act=access",
        "/reports/shared-costs?act=mark-up",
    ):
        assert "org / gone (closed)</option>" in grace.get(address).content.decode(), address
    asked = {"source": "research", "method": "even", "targets": "gone", "reason": "x"}
    answer = grace.post("/reports/shared-costs?act=split", asked)
    assert "gone is closed. Name a cost centre that is open." in answer.content.decode()


def test_a_closed_one_gets_no_limit_and_asks_for_nothing(people, grace):
    keys.create_cost_centre("gone", parent="org", actor=ACTOR, now=NOON)
    centre = CostCentre.objects.get(pk="gone")
    kept = limit(centre, 1_000)
    close()
    with pytest.raises(CostCentreClosed):
        limit(centre, 500, period="month")
    with pytest.raises(CostCentreClosed):
        gate.ask_for_budget(
            gate.BudgetRequest(
                scope="centre:gone",
                unit="tokens",
                period="day",
                amount=5,
                until=NOON + timedelta(days=1),
                reason="more",
            ),
            idempotency_key=None,
            actor=Actor.person("grace"),
            now=NOON,
        )
    # Those that it has can still be changed and removed.
    limit(centre, 900)
    keys.remove_limit(kept, reason="over", actor=ACTOR, now=NOON)
    assert Limit.objects.filter(removed_at=None).count() == 0
    page = grace.get("/admin/keys/costcentre/gone/change/").content.decode()
    assert 'name="limits-MAX_NUM_FORMS" value="0"' in page
    assert "?act=" not in grace.get("/budgets/gone").content.decode().split("<main", 1)[1]
