"""Wrong passwords are counted by name and address; superusers alone decide what users may do."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse

from alerts.models import Alert

pytestmark = pytest.mark.django_db
PASSWORD = "fern-hill-92"
TRIES = 10
RIGHTS = {"is_staff": "on", "is_superuser": "on"}


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """The real hash of a password takes half a second on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def carol():
    return get_user_model().objects.create_user("carol", password=PASSWORD, is_staff=True)


def sign_in(client, password=PASSWORD, *, name="carol", address="192.0.2.7"):
    """The status of an attempt to sign in; 302: it succeeded."""
    client.logout()
    sent = {"login": name, "password": password}
    return client.post(reverse("account_login"), sent, REMOTE_ADDR=address).status_code


def locked(client, **who):
    """Enter wrong passwords until sign-in is refused."""
    statuses = [sign_in(client, "wrong", **who) for _ in range(TRIES)]
    assert statuses == [200] * (TRIES - 1) + [429]


def test_after_wrong_passwords_the_right_one_is_refused_too(client, carol):
    locked(client)
    assert sign_in(client) == 429
    assert sign_in(client, "wrong") == 429


def test_the_page_says_for_how_long(client, carol):
    locked(client)
    sent = {"login": "carol", "password": PASSWORD}
    page = client.post(reverse("admin:login"), sent, REMOTE_ADDR="192.0.2.7").content.decode()
    assert "refused to your network address for 15 minutes" in page


def test_the_owner_of_the_name_signs_in_from_elsewhere(client, carol):
    locked(client)
    assert sign_in(client, address="192.0.2.8") == 302
    assert sign_in(client) == 429


def test_others_sign_in_from_the_same_address(client, carol):
    get_user_model().objects.create_user("dave", password=PASSWORD, is_staff=True)
    locked(client)
    assert sign_in(client, name="dave") == 302


def test_a_right_password_begins_the_count_anew(client, carol):
    for _ in range(3):
        assert [sign_in(client, "wrong") for _ in range(TRIES - 1)] == [200] * (TRIES - 1)
        assert sign_in(client) == 302


def test_it_ends_after_its_time(client, carol, time_machine):
    time_machine.move_to("2026-03-10 12:00:00+00:00")
    locked(client)
    time_machine.shift(14 * 60)
    assert sign_in(client) == 429
    time_machine.shift(16 * 60)
    assert sign_in(client) == 302


def test_an_operator_ends_it(client, carol):
    locked(client)
    call_command("axes_reset_username", "carol")
    assert sign_in(client) == 302


def test_an_address_that_a_client_made_up_is_not_believed(client, carol):
    for number in range(TRIES):
        client.post(
            reverse("admin:login"),
            {"login": "carol", "password": "wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
            REMOTE_ADDR="192.0.2.7",
        )
    assert sign_in(client) == 429


def test_a_name_that_nobody_has_is_treated_alike(client, db):
    locked(client, name="nobody")
    assert sign_in(client, name="nobody") == 429


def test_people_are_told_once(client, carol):
    locked(client)
    sign_in(client, "wrong")
    [alert] = Alert.objects.filter(kind="sign_in_locked")
    assert alert.title == "Wrong passwords for 'carol' from 192.0.2.7"
    assert alert.facts == {"user_id": carol.pk, "address": "192.0.2.7"}


@pytest.fixture
def manager(client):
    """A client signed in as a user who may change users and groups."""
    user = get_user_model().objects.create_user("mallory", is_staff=True)
    wanted = Permission.objects.filter(content_type__app_label="auth")
    user.user_permissions.set(wanted)
    client.force_login(user)
    return client


def change(client, user, **fields):
    """The status of a change of a user."""
    sent = {"username": user.username, "is_active": "on"}
    sent |= {"date_joined_0": "2026-03-10", "date_joined_1": "12:00:00"}
    address = reverse("admin:auth_user_change", args=[user.pk])
    return client.post(address, sent | fields).status_code


def rights(user):
    """What a user may do, as the database has it."""
    user = get_user_model().objects.get(pk=user.pk)
    return (user.is_staff, user.is_superuser, user.groups.count(), user.user_permissions.count())


def test_staff_who_change_users_cannot_change_rights(manager):
    group = Group.objects.create(name="auditors")
    permission = Permission.objects.get(codename="change_apikey")
    dave = get_user_model().objects.create_user("dave")
    mallory = get_user_model().objects.get(username="mallory")
    wanted = RIGHTS | {"groups": [group.pk], "user_permissions": [permission.pk]}
    for user in (mallory, dave):
        before = rights(user)
        assert change(manager, user, first_name="M", **wanted) == 302
        assert rights(user) == before
    dave.refresh_from_db()
    assert dave.first_name == "M"


def test_staff_cannot_take_over_users_who_may_do_more(manager, carol):
    grace = get_user_model().objects.create_superuser("grace", password=PASSWORD)
    carol.user_permissions.set(Permission.objects.filter(codename="change_apikey"))
    for user in (grace, carol):
        assert change(manager, user, first_name="M") == 403
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        sent = {"password1": "other-hill-92", "password2": "other-hill-92"}
        assert manager.post(address, sent | {"usable_password": "true"}).status_code == 403
        address = reverse("admin:auth_user_delete", args=[user.pk])
        assert manager.post(address, {"post": "yes"}).status_code == 403
        many = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
        manager.post(reverse("admin:auth_user_changelist"), many)
        user.refresh_from_db()
        assert user.check_password(PASSWORD)


def test_staff_cannot_change_what_groups_may_do(manager):
    group = Group.objects.create(name="auditors")
    permission = Permission.objects.get(codename="change_apikey")
    sent = {"name": "auditors", "permissions": [permission.pk]}
    address = reverse("admin:auth_group_change", args=[group.pk])
    assert manager.post(address, sent).status_code == 403
    assert manager.post(reverse("admin:auth_group_add"), sent | {"name": "x"}).status_code == 403
    assert manager.post(reverse("admin:auth_group_delete", args=[group.pk])).status_code == 403
    assert group.permissions.count() == 0


def test_superusers_change_rights(client, carol):
    client.force_login(get_user_model().objects.create_superuser("grace"))
    assert change(client, carol, **RIGHTS) == 302
    assert rights(carol)[:2] == (True, True)
