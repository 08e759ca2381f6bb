"""Roles: what the data says is what the groups allow."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from gate import roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups(db):
    roles.make_groups()


def permissions_of(role):
    rows = Permission.objects.filter(group__name=role).select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


def test_each_role_has_a_group_with_permissions(groups):
    assert {group.name for group in Group.objects.all()} == set(roles.roles())
    assert all(permissions_of(name) for name in roles.roles())


def test_each_permission_of_the_data_exists():
    """A pattern that no permission matches is a slip of the pen."""
    names = {
        f"{row.content_type.app_label}.{row.codename}"
        for row in Permission.objects.select_related("content_type")
    }
    for role in roles.roles().values():
        for right in role.rights:
            for pattern in right.permissions:
                assert any(roles.Right("", (pattern,)).covers(name) for name in names), pattern


def test_a_permission_that_left_the_data_leaves_the_group(groups):
    group = Group.objects.get(name="viewer")
    group.permissions.add(Permission.objects.get(codename="change_limit"))
    before = Group.objects.count()
    roles.make_groups()
    assert "keys.change_limit" not in permissions_of("viewer")
    assert Group.objects.count() == before


def test_people_keep_their_roles_and_other_groups_stay(groups):
    vera = get_user_model().objects.create_user("vera")
    vera.groups.add(Group.objects.get(name="viewer"))
    own = Group.objects.create(name="night shift")
    own.permissions.set(Permission.objects.filter(codename="view_charge"))
    roles.make_groups()
    assert vera.groups.get().name == "viewer"
    assert own.permissions.count() == 1


def test_viewers_and_auditors_change_nothing(groups):
    for role in ("viewer", "auditor"):
        for permission in permissions_of(role):
            assert ".view_" in permission or permission == "orchestration.read_task_texts"


def test_auditors_may_open_every_model_of_the_admin(groups):
    seen = permissions_of("auditor")
    for model in admin.site._registry:
        assert f"{model._meta.app_label}.view_{model._meta.model_name}" in seen


def test_only_custodians_may_add_keys_and_replace_secrets(groups):
    assert [name for name in roles.roles() if "keys.add_apikey" in permissions_of(name)] == [
        "key custodian"
    ]
