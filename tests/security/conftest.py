"""A key file of its own for each test, and an app with a sealed secret."""

from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import sites
from django.db import connection
from django.test import override_settings
from django.test.utils import modify_settings


@pytest.fixture(autouse=True)
def key_file(tmp_path):
    """The key file of this test; it is not there yet."""
    path = tmp_path / "vault.keys"
    with override_settings(VAULT_KEYS=[], TOKEN_PEPPER="", VAULT_KEY_FILE=path):
        yield path


def _with_table(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    # Once apps are loaded again, django-unfold makes an empty admin site.
    for module in (admin, sites):
        monkeypatch.setattr(module, "site", admin.site)
    with modify_settings(INSTALLED_APPS={"append": "sealed_app"}):
        model = apps.get_model("sealed_app", "Safe")
        with connection.schema_editor() as editor:
            editor.create_model(model)
        yield model
        with connection.schema_editor() as editor:
            editor.delete_model(model)


@pytest.fixture
def safes(db, monkeypatch):
    """The model `Safe`, with its table."""
    yield from _with_table(monkeypatch)


@pytest.fixture
def committed_safes(transactional_db, monkeypatch):
    """The model `Safe`, whose rows other connections see."""
    yield from _with_table(monkeypatch)
