"""The admin without permissions: every page of every model, also of those that come later."""

import itertools

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import BinaryField
from django.urls import reverse
from django.utils import timezone

from security.models import AuditEntry
from tests.alerts.builders import channel
from tests.keys.builders import add_key, allocate, report
from tests.orchestration.work import submit
from tests.site.test_malformed_ids import paths

pytestmark = pytest.mark.django_db

CONFIRMED = {"_form_submitted": "on", "reason": "because", "post": "yes", "days": "3"}
# Addresses that only lead on to another one, which is looked at itself.
LEADING_ON = ("{}/", "{}/history/")
SLUGS = {"apikey": "nvidia-1", "agent": "ada", "costcentre": "research", "provider": "nvidia"}


def pages():
    """The pages of one row, without those that lead on."""
    return [path for path in paths() if not path.endswith(LEADING_ON)]


def lists():
    """The pages that list a model and add to it."""
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist"), reverse(f"{name}_add")


def signed_in(client, *permissions):
    """A client signed in as staff that has these permissions only."""
    user = get_user_model().objects.create_user("vera", is_staff=True)
    user.user_permissions.set(permissions)
    client.force_login(user)
    return client


@pytest.fixture
def nobody(client, db):
    return signed_in(client)


@pytest.fixture
def reader(client, db):
    return signed_in(client, *Permission.objects.filter(codename__startswith="view_"))


def test_staff_without_permissions_see_nothing(nobody):
    for path in [path.format(1) for path in pages()] + list(itertools.chain(*lists())):
        assert nobody.get(path).status_code == 403, path


@pytest.fixture
def rows(people, db):
    """A row of most models."""
    add_key("nvidia-1")
    report(allocate(now=timezone.now()), 900, now=timezone.now())
    submit("write")
    channel("json://example.org/path")


def test_staff_who_may_look_do_nothing_by_any_action(reader, rows):
    before = AuditEntry.objects.count()
    for _, add in lists():
        assert reader.post(add, CONFIRMED).status_code == 403, add
    for path in pages():
        row = row_of(path)
        answer = reader.post(path.format(row or 1), CONFIRMED)
        # Where there is no such row, back to the list.
        assert answer.status_code == 403 or (row is None and answer.status_code == 302), path
    assert AuditEntry.objects.count() == before


def row_of(path):
    """A row that the page can be of; None if the model has none."""
    model_name = path.split("/")[3]
    if model_name in SLUGS:
        return SLUGS[model_name]
    model = next(each for each in admin.site._registry if each._meta.model_name == model_name)
    return model.objects.values_list("pk", flat=True).first()


def test_bulk_actions_without_permission_change_nothing(reader, rows):
    before = AuditEntry.objects.count()
    for changelist, _ in lists():
        row = row_of(changelist) or 1
        model_admin = next(
            each
            for model, each in admin.site._registry.items()
            if f"/{model._meta.app_label}/{model._meta.model_name}/" in changelist
        )
        for action in ("delete_selected", *map(str, model_admin.actions or ())):
            reader.post(changelist, CONFIRMED | {"action": action, "_selected_action": [row]})
    assert AuditEntry.objects.count() == before


def test_no_action_acts_by_get(client, rows):
    """A look at the texts of a task is recorded, and changes nothing."""
    client.force_login(get_user_model().objects.create_superuser("grace"))
    changes = AuditEntry.objects.exclude(action="task.look")
    before = changes.count()
    for path in pages():
        address = path.format(row_of(path) or 1)
        assert client.get(address).status_code in (200, 302, 403, 405), address
    assert changes.count() == before


def binary_columns():
    """Columns that hold what is sealed, or a digest."""
    for model in admin.site._registry:
        for field in model._meta.fields:
            if isinstance(field, BinaryField):
                yield f"{model._meta.app_label}/{model._meta.model_name}", field.name


def test_no_filter_of_a_list_reaches_through_relations_or_to_secrets(reader, rows):
    for path, field in (
        ("auth/user", "password"),
        ("keys/agent", "tokens__digest"),
        ("keys/charge", "allocation__agent__tokens__digest"),
        ("keys/charge", "api_key__secret"),
        *binary_columns(),
    ):
        answer = reader.get(f"/admin/{path}/?{field}__startswith=a")
        # 302: back to the list without the filter.
        assert answer.status_code in (302, 400), (path, field)
        assert answer.status_code == 400 or answer["Location"].endswith("?e=1"), (path, field)
