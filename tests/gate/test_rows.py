"""People who are bound to a part of the tree see and change only that, wherever they look."""

import json
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from alerts import services as alerts
from common.admin.lists import QuickList
from gate import rows
from gate.models import CentreBinding
from gateway import services as gateway
from keys import alert_kinds
from keys import services as keys
from keys.models import Agent, CostCentre, Limit
from tests.actors import GRACE
from tests.gate.approvals import budget_request
from tests.keys.builders import PAID, add_key, adjust, allocate, limit, report
from tests.orchestration.work import submit
from tests.site.test_malformed_ids import paths

pytestmark = pytest.mark.django_db
BOTH = (("ada", "research"), ("carol", "sales"))


@pytest.fixture
def work(people):
    """Each of two cost centres has an agent with rows of every kind."""
    now = timezone.now()
    add_key("nvidia-1", rates=PAID)
    for agent, centre in BOTH:
        limit(Agent.objects.get(pk=agent), 500_000)
        limit(CostCentre.objects.get(pk=centre), 900_000)
        adjust(report(allocate(agent, now=now), 900, now=now), 800, now=now)
        keys.issue_token(Agent(pk=agent), actor=GRACE, now=now)
        submit("write", agent=agent)
        alerts.raise_alert(
            kind=alert_kinds.SESSION_EXHAUSTED,
            dedup_key=f"expired:{agent}",
            title=f"A session of {agent} expired",
            agent_id=agent,
            now=now,
        )
        approval = budget_request(Agent.objects.get(pk=agent))
        keys.grant(
            Limit.objects.get(scope=f"agent:{agent}"),
            amount=Decimal(1_000),
            until=approval.expires_at,
            approval=approval,
            actor=GRACE,
            now=now,
        )
        gateway.set_retention(
            CostCentre.objects.get(pk=centre), days=3, actor=GRACE, reason="audit", now=now
        )


def person(name, *centres):
    """Staff with every permission, bound to these cost centres."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    for centre in centres:
        CentreBinding.objects.create(person=user, cost_centre_id=centre)
    return user


@pytest.fixture
def ruth(client, work):
    """A client signed in as ruth, who is bound to research."""
    client.force_login(person("ruth", "research"))
    return client


def listing(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def test_every_model_of_the_admin_states_its_rule():
    for model, model_admin in admin.site._registry.items():
        rule = rows.RULES.get(model._meta.label_lower)
        assert rule, f"{model} needs a line in gate.rows.RULES"
        assert rule is rows.nothing or isinstance(model_admin, QuickList), model


def test_a_model_without_a_rule_has_no_rows_for_bound_people(work):
    assert not rows.visible(person("ruth", "research"), CentreBinding.objects.all()).exists()
    assert rows.visible(person("vera"), CentreBinding.objects.all()).exists()


def test_lists_show_no_row_of_another_cost_centre(ruth):
    hidden = {name for name, rule in rows.RULES.items() if rule is rows.nothing}
    for model in admin.site._registry:
        answer = ruth.get(listing(model), {"all": ""})
        if model._meta.label_lower in hidden:
            assert answer.status_code == 403, model
        else:
            assert answer.status_code in (200, 302), model
            page = answer.content.decode()
            assert "carol" not in page and "sales" not in page, model


def test_lists_show_the_rows_of_the_own_cost_centre(ruth):
    for model in admin.site._registry:
        rule = rows.RULES[model._meta.label_lower]
        if rule in (rows.nothing, rows.everything) or model._meta.model_name in UNUSED:
            continue
        assert ruth.get(listing(model)).context["cl"].result_count, model


# No test here runs an attempt, fills a slot or keeps an exchange.
UNUSED = {"attempt", "slot", "exchange"}


def strangers_rows():
    """A path of each page and action of one row of sales, also of the models that are hidden."""
    stranger = person("sam", "sales")
    seen = {model: rows.visible(stranger, model.objects.all()) for model in admin.site._registry}
    own = person("rita", "research")
    for path in paths():
        app, name = path.split("/")[2:4]
        model = next(
            each for each in seen if (each._meta.app_label, each._meta.model_name) == (app, name)
        )
        if rows.RULES[model._meta.label_lower] is rows.everything:
            continue
        mine = rows.visible(own, model.objects.all()).values("pk")
        row = seen[model].exclude(pk__in=mine).first()
        if row is not None:
            yield path.format(row.pk)


def test_no_page_and_no_action_reaches_a_row_of_another_cost_centre(ruth):
    found = list(strangers_rows())
    assert len(found) > 40
    confirmed = {"_form_submitted": "on", "reason": "because", "post": "yes", "days": "3"}
    for path in found:
        list_of_it = "/".join(path.split("/")[:4]) + "/"
        for answer in (ruth.get(path), ruth.post(path, confirmed)):
            if answer.status_code == 302:
                # Away from the row; an action that was carried out leads to it.
                row = "/".join(path.split("/")[:5]) + "/change/"
                assert answer["Location"] in (list_of_it, "/admin/", row), path
                assert answer["Location"] != row or path == row.removesuffix("change/"), path
            else:
                assert answer.status_code in (403, 404), path


def test_bulk_actions_reach_no_row_of_another_cost_centre(ruth):
    stranger = person("sam", "sales")
    for model, model_admin in admin.site._registry.items():
        for row in rows.visible(stranger, model.objects.all())[:1]:
            for action in map(str, model_admin.actions or ()):
                before = list(model.objects.order_by("pk").values())
                ruth.post(listing(model), {"action": action, "_selected_action": [row.pk]})
                assert list(model.objects.order_by("pk").values()) == before, (model, action)


def test_bound_people_may_look_at_what_all_have_in_common_and_not_change_it(ruth):
    for name in ("provider", "price", "modelalias", "modelfallback", "cataloguemodel"):
        model = next(each for each in admin.site._registry if each._meta.model_name == name)
        assert ruth.get(listing(model)).status_code == 200
        assert ruth.get(f"{listing(model)}add/").status_code == 403


def test_a_choice_of_cost_centres_offers_the_own_ones_only(ruth):
    field = {"app_label": "keys", "model_name": "agent", "field_name": "cost_centre"}
    answer = ruth.get("/admin/autocomplete/", field)
    assert [each["id"] for each in json.loads(answer.content)["results"]] == ["research"]


@pytest.mark.parametrize(
    ("centre", "added"), [("sales", False), ("org", False), ("research", True)]
)
def test_bound_people_add_agents_to_their_own_cost_centre_only(ruth, centre, added):
    form = {"slug": "dora", "name": "", "cost_centre": centre, "reason": "new"}
    for prefix in ("limits", "tokens"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    ruth.post("/admin/keys/agent/add/", form)
    assert Agent.objects.filter(pk="dora").exists() is added


@pytest.mark.parametrize(("parent", "added"), [("", False), ("sales", False), ("research", True)])
def test_bound_people_add_cost_centres_below_their_own_only(ruth, parent, added):
    form = {"slug": "lab", "name": "", "parent": parent, "reason": "new"}
    form |= {"limits-TOTAL_FORMS": 0, "limits-INITIAL_FORMS": 0}
    ruth.post("/admin/keys/costcentre/add/", form)
    assert CostCentre.objects.filter(pk="lab").exists() is added


def test_the_overview_counts_the_own_cost_centre_only(ruth, client):
    page = ruth.get("/").content.decode()
    assert "ada" in page and "carol" not in page and "sales" not in page
    assert "800 tokens" in page
    assert "Daily capacity of all keys" not in page
    client.force_login(get_user_model().objects.create_superuser("grace"))
    assert "1,600 tokens" in client.get("/").content.decode()


def test_who_is_bound_to_a_cost_centre_sees_those_below_it(client, work):
    client.force_login(person("olga", "org"))
    page = client.get("/admin/keys/agent/").content.decode()
    assert "ada" in page and "carol" in page


def test_a_binding_does_not_restrict_a_superuser(work):
    grace = get_user_model().objects.create_superuser("grace")
    CentreBinding.objects.create(person=grace, cost_centre_id="research")
    assert rows.visible(grace, Agent.objects.all()).count() == 3
    assert grace.has_perm("keys.change_price")
