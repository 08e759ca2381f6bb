"""The top bar says as whom a person is signed in."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from dashboard.person_role import role_of
from gate.models import CentreBinding

pytestmark = pytest.mark.django_db


def person(*names, centres=()):
    user = get_user_model().objects.create_user("ruth", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=names))
    for centre in centres:
        CentreBinding.objects.create(person=user, cost_centre_id=centre)
    return user


def test_a_person_has_roles_and_the_cost_centres_they_are_bound_to(people, client):
    ruth = person("finance", "approver", centres=["sales", "research"])
    client.force_login(ruth)
    bar = client.get("/").content.decode().partition("<header")[2].partition("</header>")[0]
    assert "ruth <small>approver, finance · research, sales</small>" in bar


def test_many_cost_centres_are_counted(people):
    assert role_of(person("viewer", centres=["sales", "research", "org"])) == (
        "viewer · org, research and 1 more"
    )


def test_a_person_without_a_role_and_a_superuser_are_called_so(people, admin_user):
    assert role_of(person()) == "no role"
    assert role_of(admin_user) == "superuser"


def test_roles_and_cost_centres_are_read_once_for_a_request(people, django_assert_num_queries):
    ruth = person("finance", centres=["sales"])
    with django_assert_num_queries(3):
        ruth.has_perm("keys.view_charge")
        ruth.has_perm("keys.view_apikey")
        assert role_of(ruth) == "finance · sales"
