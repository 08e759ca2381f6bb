"""Saved views: the question of a page under a name, of one person or shared."""

import pytest
from django.contrib.auth import get_user_model

from gate.models import CentreBinding
from reports import queries
from reports import services as reports
from reports.models import SavedView
from reports.refusals import ViewNameTaken
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def person(name):
    return get_user_model().objects.create_user(name, is_staff=True)


def save(owner, name="by agent", **changes):
    values = {"page": "overview", "query": "by=agent&range=28d"} | changes
    return reports.save_view(owner=owner, name=name, **values)


def names(user):
    return [view.name for view in queries.saved_views(user, "overview")]


def test_a_view_is_the_page_with_its_filters():
    assert save(person("vera")).url == "/?by=agent&range=28d"
    assert save(person("bob"), query="").url == "/"


def test_a_view_is_its_owners_until_it_is_shared():
    vera, bob = person("vera"), person("bob")
    view = save(vera)
    save(vera, "elsewhere", page="keys")
    assert (names(vera), names(bob)) == (["by agent"], [])
    reports.change_view(view, name="agents", shared_at=NOON)
    assert (names(vera), names(bob)) == (["agents"], ["agents"])
    reports.delete_view(view)
    assert names(vera) == names(bob) == []


def test_people_of_one_cost_centre_see_no_filters_of_others(people):
    vera, ruth = person("vera"), person("ruth")
    CentreBinding.objects.create(person=ruth, cost_centre_id="research")
    save(vera, "sales only", query="centre=sales", shared_at=NOON)
    save(ruth, "mine")
    assert names(ruth) == ["mine"]


def test_a_name_is_used_once_on_a_page():
    vera = person("vera")
    save(vera)
    with pytest.raises(ViewNameTaken):
        save(vera)
    other = save(vera, "other")
    with pytest.raises(ViewNameTaken):
        reports.change_view(other, name="by agent", shared_at=None)
    save(vera, page="keys")
    save(person("bob"))
    assert SavedView.objects.count() == 4
