"""The admin as a whole: its look, and the pages of users."""

from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse

from security.audit_changes import changes
from security.models import AuditEntry

pytestmark = pytest.mark.django_db


def test_users_are_added_and_shown(client):
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    wanted = {"username": "carol", "password1": "fern-hill-92", "password2": "fern-hill-92"}
    client.post(reverse("admin:auth_user_add"), wanted | {"usable_password": "true"})
    carol = get_user_model().objects.get(username="carol")
    assert client.get(reverse("admin:auth_user_change", args=[carol.pk])).status_code == 200
    assert client.get(reverse("admin:auth_group_changelist")).status_code == 200


def test_the_sidebar_shows_what_the_user_may_see(client):
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename="view_apikey"))
    client.force_login(carol)
    shown = client.get(reverse("admin:index")).content.decode()
    assert reverse("admin:keys_apikey_changelist") in shown
    assert reverse("admin:keys_charge_changelist") not in shown
    assert "Finance office for AI agents" in shown


@pytest.fixture
def staff(client):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def carol():
    """A user who may not do anything yet."""
    return get_user_model().objects.create_user("carol", password="fern-hill-92")


def recorded(subject):
    """Action, actor and address, and what differs between before and after; the oldest first."""
    return [
        (
            entry.action,
            entry.actor,
            entry.address,
            {c.name: (c.before, c.after) for c in changes(entry)},
        )
        for entry in AuditEntry.objects.about(subject).order_by("pk")
    ]


def test_who_adds_a_user_is_in_the_audit(staff):
    wanted = {"username": "carol", "password1": "fern-hill-92", "password2": "fern-hill-92"}
    staff.post(reverse("admin:auth_user_add"), wanted | {"usable_password": "true"})
    carol = get_user_model().objects.get(username="carol")
    [(action, actor, address, values)] = recorded(f"user:{carol.pk}")
    assert (action, actor, address) == ("user.add", "grace", "127.0.0.1")
    assert (values["username"], values["superuser"]) == (("", "carol"), ("", "no"))
    assert "fern-hill" not in str(list(AuditEntry.objects.values()))


def test_what_a_user_may_do_is_in_the_audit_before_and_after(staff, carol):
    address = reverse("admin:auth_user_change", args=[carol.pk])
    group = Group.objects.create(name="auditors")
    wanted = {"username": "carol", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    wanted |= {"date_joined_0": "2026-03-10", "date_joined_1": "12:00:00"}
    for _ in range(2):
        assert staff.post(address, wanted).status_code == 302
    changed = {"staff": ("no", "yes"), "groups": ("", "auditors")}
    assert recorded(f"user:{carol.pk}") == [("user.change", "grace", "127.0.0.1", changed)]


def test_that_a_password_was_changed_is_in_the_audit_but_not_the_password(staff, carol):
    address = reverse("admin:auth_user_password_change", args=[carol.pk])
    wanted = {"password1": "moss-dale-17", "password2": "moss-dale-17", "usable_password": "true"}
    staff.post(address, wanted)
    carol.refresh_from_db()
    assert carol.check_password("moss-dale-17")
    assert recorded(f"user:{carol.pk}") == [("user.change_password", "grace", "127.0.0.1", {})]


def test_who_deletes_users_is_in_the_audit(staff, carol):
    bob = get_user_model().objects.create_user("bob")
    staff.post(reverse("admin:auth_user_delete", args=[carol.pk]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [bob.pk], "post": "yes"}
    staff.post(reverse("admin:auth_user_changelist"), chosen)
    assert get_user_model().objects.count() == 1
    for pk, name in ((carol.pk, "carol"), (bob.pk, "bob")):
        [(action, actor, _, values)] = recorded(f"user:{pk}")
        assert (action, actor, values["username"]) == ("user.delete", "grace", (name, ""))


def test_what_a_group_allows_is_in_the_audit(staff):
    may_view = Permission.objects.get(codename="view_apikey")
    staff.post(reverse("admin:auth_group_add"), {"name": "auditors"})
    group = Group.objects.get(name="auditors")
    change = reverse("admin:auth_group_change", args=[group.pk])
    staff.post(change, {"name": "auditors", "permissions": [may_view.pk]})
    staff.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert [(action, values) for action, _, _, values in recorded(f"group:{group.pk}")] == [
        ("group.add", {"name": ("", "auditors"), "permissions": ("", "")}),
        ("group.change", {"permissions": ("", "view_apikey")}),
        ("group.delete", {"name": ("auditors", ""), "permissions": ("view_apikey", "")}),
    ]


def test_the_admin_keeps_no_log_of_its_own(staff, carol):
    staff.post(reverse("admin:auth_group_add"), {"name": "auditors"})
    staff.post(reverse("admin:auth_user_delete", args=[carol.pk]), {"post": "yes"})
    assert not LogEntry.objects.exists()


def test_the_history_of_a_row_is_the_audit_of_it(staff, client):
    staff.post(reverse("admin:auth_group_add"), {"name": "auditors"})
    address = reverse("admin:auth_group_history", args=[Group.objects.get(name="auditors").pk])
    answer = staff.get(address, follow=True)
    assert [entry.action for entry in answer.context["cl"].queryset] == ["group.add"]
    client.force_login(get_user_model().objects.create_user("dave", is_staff=True))
    assert client.get(address).status_code == 403


def test_a_user_who_changes_their_own_password_is_in_the_audit(client, carol):
    carol.is_staff = True
    carol.save()
    client.force_login(carol)
    wanted = {"old_password": "x", "new_password1": "moss-dale-17", "new_password2": "moss-dale-17"}
    address = reverse("admin:password_change")
    assert client.post(address, wanted).status_code == 200
    assert recorded(f"user:{carol.pk}") == []
    assert client.post(address, wanted | {"old_password": "fern-hill-92"}).status_code == 302
    carol.refresh_from_db()
    assert carol.check_password("moss-dale-17")
    assert recorded(f"user:{carol.pk}") == [("user.change_password", "carol", "127.0.0.1", {})]


def test_the_page_of_the_own_password_is_for_who_has_signed_in(client):
    answer = client.get(reverse("admin:password_change"))
    assert (answer.status_code, answer.url.split("?")[0]) == (302, reverse("admin:login"))


def test_users_whom_commands_add_and_change_are_in_the_audit(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "fern-hill-92")
    call_command("createsuperuser", "--noinput", "--username=dave", "--email=", verbosity=0)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "moss-dale-17")
    call_command("changepassword", "dave", stdout=StringIO())
    dave = get_user_model().objects.get(username="dave")
    assert dave.check_password("moss-dale-17")
    added, changed = AuditEntry.objects.about(f"user:{dave.pk}").order_by("pk")
    assert (added.action, added.actor_kind) == ("user.add", "command_line")
    assert added.after == {"username": "dave", "superuser": True}
    assert (changed.action, changed.actor_kind) == ("user.change_password", "command_line")
    assert "moss-dale" not in str(list(AuditEntry.objects.values()))
