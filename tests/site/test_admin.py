"""The admin as a whole: its look, and the pages of users."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

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
