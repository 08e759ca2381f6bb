"""The page of alert rules: add, change, switch off and on, each with a reason."""

from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from alerts import services as alerts
from alerts.models import AlertRule
from security.models import AuditEntry
from tests.actors import ACTOR

pytestmark = pytest.mark.django_db
SPIKE = {
    "kind": "spend_spike",
    "name": "spikes of research",
    "figure": "250",
    "cost_centre": "research",
    "cool_off_minutes": "30",
    "reason": "a loop last week",
}


def sent(client, path="/alerts/rules?act=add", **asked):
    return unescape(client.post(path, asked, follow=True).content.decode())


def test_a_rule_is_added_changed_and_switched_off(staff, people):
    html = unescape(staff.get("/alerts/rules").content.decode())
    assert "There is no rule yet." in html
    for title in ("Spend spike", "Budget will be exceeded", "Key out before its reset"):
        assert title in html
    html = unescape(staff.get("/alerts/rules?act=add&kind=spend_spike").content.decode())
    assert 'value="300"' in html
    assert "was added" in sent(staff, **SPIKE)
    rule = AlertRule.objects.get()
    assert (rule.figure, rule.cost_centre, rule.cool_off_minutes) == (Decimal(250), "research", 30)
    page = f"/alerts/rules/{rule.pk}"
    html = sent(staff, f"{page}?act=change", **SPIKE | {"figure": "400", "reason": "too loud"})
    assert "400 percent of the usual" in html
    assert "too loud" in html
    assert "is disabled." in sent(staff, f"{page}?act=disable", reason="enough")
    assert "is enabled." in sent(staff, f"{page}?act=enable", reason="again")
    assert AuditEntry.objects.filter(subjects__contains=[rule.address]).count() == 4
    assert "spikes of research" in unescape(staff.get("/alerts/rules").content.decode())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"figure": "5"}, "Use a number from 101"),
        ({"reason": ""}, "This field is required."),
        ({"kind": "nothing"}, "Select a valid choice"),
        ({"kind": "key_runs_out", "figure": "1"}, "about all cost centres"),
    ],
)
def test_what_makes_no_rule_is_said(staff, people, changes, says):
    assert says in sent(staff, **SPIKE | changes)
    assert not AlertRule.objects.exists()


def test_who_may_only_look_changes_no_rule(client, people):
    user = get_user_model().objects.create_user("vera", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_channel"))
    client.force_login(user)
    assert client.get("/alerts/rules").status_code == 200
    assert client.post("/alerts/rules?act=add", SPIKE).status_code == 403
    assert not AlertRule.objects.exists()
    assert client.get("/alerts/rules/1").status_code == 404


def test_the_list_takes_the_same_queries_for_any_number(
    staff, people, now, django_assert_max_num_queries
):
    for number in range(30):
        terms = alerts.RuleTerms(kind="spend_spike", name=f"rule {number}", figure=Decimal(200))
        alerts.add_rule(terms, reason="x", actor=ACTOR, now=now)
    with django_assert_max_num_queries(20):
        staff.get("/alerts/rules")
