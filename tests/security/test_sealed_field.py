"""A sealed secret in a model."""

import copy
import json
import pickle

import pytest
from django.contrib.admin.utils import display_for_field
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.forms import modelform_factory
from django.test.utils import isolate_apps
from rest_framework.serializers import ModelSerializer

from security import services, vault
from security.fields import Sealed, SealedField, field_context

SECRET = "canary-0123456789"


@pytest.fixture
def row(safes):
    """A stored row of ada."""
    row = safes(slug="ada")
    services.seal_into(row, "secret", SECRET)
    row.save()
    return safes.objects.get(pk=row.pk)


def test_a_secret_goes_in_and_comes_out(row):
    assert services.unseal_from(row, "secret") == SECRET
    assert field_context(row, "secret") == "sealed_app.safe.secret:ada"


def test_it_shows_itself_as_sealed(row):
    texts = [repr(row.secret), str(row.secret), f"{row.secret}", repr(vars(row))]
    texts.append(display_for_field(row.secret, row._meta.get_field("secret"), "-"))
    for text in texts:
        assert "sealed" in text
        assert repr(bytes(row.secret))[2:-1] not in text


def test_forms_do_not_have_it(row):
    assert "secret" not in modelform_factory(type(row), fields="__all__").base_fields


def test_the_api_shows_it_as_sealed_at_most(row):
    class Output(ModelSerializer):
        class Meta:
            model = type(row)
            fields = ["secret"]

    assert Output(row).data == {"secret": "sealed"}


def test_it_goes_into_no_queue_cache_or_json(row):
    for attempt in (lambda: pickle.dumps(row), lambda: pickle.dumps(row.secret)):
        with pytest.raises(TypeError, match="pass the id"):
            attempt()
    with pytest.raises(TypeError):
        json.dumps({"secret": row.secret}, cls=DjangoJSONEncoder)


def test_a_row_with_it_can_be_copied(row):
    assert copy.deepcopy(row).secret == copy.copy(row).secret == row.secret


@pytest.mark.parametrize("unsealed", [SECRET, SECRET.encode(), memoryview(b"x")])
def test_what_is_not_sealed_is_not_stored(row, safes, unsealed):
    row.secret = unsealed
    with pytest.raises(TypeError, match="seal_into") as refused, transaction.atomic():
        row.save()
    assert SECRET not in str(refused.value)
    with pytest.raises(TypeError, match="seal_into"), transaction.atomic():
        safes.objects.filter(pk=row.pk).update(secret=unsealed)


def test_bulk_writes_store_it_too(row, safes):
    other = safes(slug="bob")
    services.seal_into(other, "secret", "of bob")
    safes.objects.bulk_create([other])
    services.seal_into(row, "secret", "new")
    safes.objects.bulk_update([row], ["secret"])
    found = {one.slug: services.unseal_from(one, "secret") for one in safes.objects.all()}
    assert found == {"ada": "new", "bob": "of bob"}


def test_a_row_whose_name_changed_does_not_unseal(row):
    row.slug = "carol"
    with pytest.raises(vault.CannotUnseal):
        services.unseal_from(row, "secret")


def test_a_row_without_a_name_cannot_be_sealed(safes):
    with pytest.raises(ValueError, match="names the row"):
        services.seal_into(safes(), "secret", SECRET)


def test_a_row_without_a_secret_says_so(safes):
    with pytest.raises(vault.CannotUnseal, match="no secret was stored"):
        services.unseal_from(safes.objects.create(slug="bob"), "secret")


def test_sealed_values_are_equal_by_their_bytes():
    assert Sealed(b"a") == Sealed(b"a") != Sealed(b"b")
    assert len({Sealed(b"a"), Sealed(b"a")}) == 1


@isolate_apps("security")
@pytest.mark.parametrize("name", ["label", "nothing"])
def test_a_field_bound_to_what_is_not_unique_is_an_error(name):
    class Loose(models.Model):
        label = models.TextField()
        secret = SealedField(bound_to=name)

        class Meta:
            app_label = "security"

        def __str__(self):
            return self.label

    assert [error.id for error in Loose._meta.get_field("secret").check()] == ["butler.E021"]


def test_migrations_remember_what_it_is_bound_to():
    _, path, args, kwargs = SealedField(bound_to="slug", null=True).deconstruct()
    assert (path, args, kwargs) == (
        "security.fields.SealedField",
        [],
        {"bound_to": "slug", "null": True},
    )
