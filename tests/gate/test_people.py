"""People are invited, given roles, switched off, and their access is reviewed."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from gate import queries, roles, services
from gate.access import Access
from gate.models import CentreBinding
from gate.refusals import OwnAccess, PersonExists
from security.models import AuditEntry
from tests.actors import GRACE
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
NOBODY = Access(frozenset(), frozenset())
VIEWER = Access(frozenset({"viewer"}), frozenset({"research"}))
CONFIRMED = {"_form_submitted": "on", "reason": "because"}
PASSWORD = "fern-hill-92"  # noqa: S105


@pytest.fixture
def vera(people):
    """A person with the role viewer, bound to research."""
    now = timezone.now()
    return services.invite("vera", email="", access=VIEWER, actor=GRACE, now=now)


def signed_in(name, *, role=None, **attributes):
    """A client signed in as this person, with one role."""
    person = get_user_model().objects.create_user(name, is_staff=True, **attributes)
    if role:
        person.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(person)
    return confirm(client, person)


@pytest.fixture
def adam(people):
    """A client signed in as adam, an administrator."""
    return signed_in("adam", role="administrator")


def action(person, name):
    return f"/admin/auth/user/{person.pk}/{name}/"


def actions_of(person):
    return list(AuditEntry.objects.about(f"user:{person.pk}").values_list("action", flat=True))


def test_an_invited_person_has_the_access_and_no_password(vera):
    assert queries.access_of(vera) == VIEWER
    assert not vera.has_usable_password()
    assert vera.has_perm("keys.view_charge") and not vera.has_perm("keys.view_apikey")
    assert actions_of(vera) == ["person.invite"]


def test_a_name_is_invited_once(vera):
    with pytest.raises(PersonExists):
        services.invite("vera", email="", access=NOBODY, actor=GRACE, now=timezone.now())
    assert queries.access_of(vera) == VIEWER


def test_an_administrator_invites_and_the_link_works_once(adam, client):
    invited = {"username": "vera", "email": "", "roles": ["viewer"], "_form_submitted": "on"}
    page = adam.post("/admin/auth/user/invite/", invited).content.decode()
    link = re.search(rf"{settings.PUBLIC_URL}(/invitation/[^<]+)", page)[1]
    form = client.get(link, follow=True)
    assert b"Set your password" in form.content
    address = form.redirect_chain[-1][0]
    chosen = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert client.post(address, chosen).status_code == 302
    assert get_user_model().objects.get(username="vera").check_password(PASSWORD)
    assert b"no longer works" in Client().get(link, follow=True).content
    vera = get_user_model().objects.get(username="vera")
    assert sorted(actions_of(vera)) == ["person.invite", "user.change_password"]


def test_the_link_works_for_three_days(adam, client, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    confirm(adam, get_user_model().objects.get(username="adam"))
    page = adam.post("/admin/auth/user/invite/", {"username": "vera", "_form_submitted": "on"})
    link = re.search(r"/invitation/[^<]+", page.content.decode())[0]
    time_machine.shift(timedelta(days=3, seconds=1))
    assert b"no longer works" in client.get(link, follow=True).content


def test_a_weak_password_is_refused(adam, client):
    page = adam.post("/admin/auth/user/invite/", {"username": "vera", "_form_submitted": "on"})
    link = re.search(r"/invitation/[^<]+", page.content.decode())[0]
    address = client.get(link, follow=True).redirect_chain[-1][0]
    answer = client.post(address, {"new_password1": "12345678", "new_password2": "12345678"})
    assert b"too common" in answer.content


def test_who_signed_in_long_ago_confirms_before_giving_access(adam, vera):
    person = get_user_model().objects.get(username="adam")
    confirm(adam, person, seconds_ago=3600)
    answer = adam.post(action(vera, "set_access"), CONFIRMED | {"roles": ["operator"]})
    assert answer["Location"].startswith("/account/confirm/")
    assert queries.access_of(vera) == VIEWER
    # Nothing that was entered is kept.
    assert "because" not in str(dict(adam.session))


def test_access_is_set_exactly_and_other_groups_stay(vera):
    vera.groups.add(Group.objects.create(name="night shift"))
    access = Access(frozenset({"finance"}), frozenset({"sales", "research"}))
    for _ in range(2):
        services.set_access(vera, access=access, reason="moved", actor=GRACE, now=timezone.now())
    assert queries.access_of(vera) == access
    assert set(vera.groups.values_list("name", flat=True)) == {"finance", "night shift"}
    assert actions_of(vera) == ["person.set_access", "person.invite"]


def test_switching_off_ends_all_sessions_for_good(vera, adam):
    client = Client()
    client.force_login(vera)
    assert client.get("/").status_code == 200
    adam.post(action(vera, "switch_off"), CONFIRMED)
    assert client.get("/").status_code == 302
    adam.post(action(vera, "switch_on"), CONFIRMED)
    assert client.get("/").status_code == 302
    assert adam.get("/").status_code == 200
    assert actions_of(vera) == ["person.switch_on", "person.switch_off", "person.invite"]


def test_nobody_changes_their_own_access(adam):
    person = get_user_model().objects.get(username="adam")
    adam.post(action(person, "set_access"), CONFIRMED | {"roles": ["operator"]})
    adam.post(action(person, "switch_off"), CONFIRMED)
    assert queries.access_of(person).roles == {"administrator"}
    with pytest.raises(OwnAccess):
        services.switch_off(person, reason="test", actor=GRACE.person("adam"), now=timezone.now())


def test_administrators_touch_no_superuser_and_make_none(adam):
    grace = get_user_model().objects.create_superuser("grace", password=PASSWORD)
    for name in ("set_access", "switch_off", "invite_again"):
        assert adam.post(action(grace, name), CONFIRMED).status_code == 403
    vera = get_user_model().objects.create_user("vera")
    values = {"username": "vera", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    adam.post(f"/admin/auth/user/{vera.pk}/change/", values)
    vera.refresh_from_db()
    assert not vera.is_superuser


def test_administrators_make_no_link_for_people_who_may_do_more(adam):
    carl = get_user_model().objects.create_user("carl", is_staff=True)
    carl.groups.add(Group.objects.get(name="key custodian"))
    assert adam.post(action(carl, "invite_again"), CONFIRMED).status_code == 403
    vera = get_user_model().objects.create_user("vera", is_staff=True)
    vera.groups.add(Group.objects.get(name="viewer"))
    assert b"/invitation/" in adam.post(action(vera, "invite_again"), CONFIRMED).content


def test_others_manage_nobody(vera):
    for role in roles.roles():
        if role == "administrator":
            continue
        client = signed_in(f"someone-{role.split()[0]}", role=role)
        assert client.post("/admin/auth/user/invite/", {"username": "x"}).status_code == 403
        assert client.post(action(vera, "switch_off"), CONFIRMED).status_code == 403


def test_the_group_of_a_role_is_not_changed_by_hand(people):
    grace = signed_in("grace", is_superuser=True)
    viewer = Group.objects.get(name="viewer")
    changed = {"name": "viewer", "permissions": [Permission.objects.first().pk]}
    assert grace.post(f"/admin/auth/group/{viewer.pk}/change/", changed).status_code == 403


def test_the_review_says_who_may_what(vera, adam):
    vera.user_permissions.add(Permission.objects.get(codename="add_adjustment"))
    page = adam.get("/access").content.decode()
    assert "See agents, cost centres" in page and "add_adjustment" in page and "research" in page
    assert signed_in("fred", role="finance").get("/access").status_code == 403


def test_the_review_is_a_file_that_no_spreadsheet_runs(vera, adam):
    get_user_model().objects.create_user("=1+1")
    lines = list(csv.DictReader(adam.get("/access?format=csv").content.decode().splitlines()))
    assert [line["username"] for line in lines] == ["'=1+1", "adam", "vera"]
    assert lines[2]["roles"] == "viewer" and lines[2]["cost_centres"] == "research"
    printed = io.StringIO()
    call_command("people", stdout=printed)
    assert list(csv.DictReader(printed.getvalue().splitlines())) == lines


def test_a_cost_centre_that_people_are_bound_to_stays(vera):
    assert CentreBinding._meta.get_field("cost_centre").remote_field.on_delete.__name__ == "PROTECT"
