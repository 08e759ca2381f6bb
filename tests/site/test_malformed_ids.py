"""No page of the admin fails on an id that no row can have."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver, reverse

pytestmark = pytest.mark.django_db
IDS = ["\0", "x", "99999999999999999999"]


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """The routes below a resolver that name a row."""
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        elif isinstance(pattern, URLPattern) and "object_id>" in route or "<id>" in route:
            yield route


def paths() -> list[str]:
    """A path of the admin for each page of one row, with {} for its id."""
    found = {
        "/" + route.replace("<path:object_id>", "{}").replace("<id>", "{}")
        for route in routes(get_resolver())
        if route.startswith("admin/")
    }
    return sorted(path for path in found if "<" not in path)


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("grace"))
    client.raise_request_exception = False
    return client


def test_every_model_is_looked_at():
    assert len(paths()) > 3 * len(admin.site._registry)


@pytest.mark.parametrize("path", paths())
def test_an_id_that_no_row_has_is_no_failure(staff, path):
    for value in IDS:
        address = path.format(quote(value, safe=""))
        assert staff.get(address).status_code < 500, address
        # A dialog that was confirmed, and one that was not.
        for form in ({"_form_submitted": "on", "reason": "x"}, {}):
            assert staff.post(address, form).status_code < 500, (address, form)


@pytest.mark.parametrize("query", ["q=%00", "p=99999999999999999999"])
def test_a_query_that_no_row_has_is_no_failure(staff, query):
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert staff.get(f"{address}?{query}").status_code < 500, address
