"""Role × address: everybody gets exactly what the role may, at every address of the site.

The addresses come from the URL configuration, the routes of the gateway and the commands; what each
role gets is in `addresses.toml`. Rows of other cost centres: tests/gate/test_rows.py.
"""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group
from django.core.management import find_commands
from django.test import Client
from django.utils import timezone

from gate import roles
from gateway.routes import ROUTES
from tests.alerts.builders import channel
from tests.keys.builders import add_key, adjust, allocate, report
from tests.orchestration.work import submit
from tests.site import addresses
from tests.site.addresses import TABLE, outcome, path_of

pytestmark = pytest.mark.django_db
NOBODY, STAFF = "nobody", "without a role"
# It refuses what it cannot complete: tests/gate/test_rows.py completes.
AUTOCOMPLETE = "admin/autocomplete/"
OWN_ACCOUNT = "account/"
NOT_CALLED = ("admin/login/", "admin/logout/", "readyz")


@pytest.fixture
def persons(people):
    """A person of each role, one without a role, one who has not signed in; and rows to look at."""
    now = timezone.now()
    add_key("nvidia-1")
    adjust(report(allocate(now=now), 900, now=now), 800, now=now)
    submit("write")
    channel("json://example.org/path")
    found = {}
    for name in (*roles.roles(), STAFF):
        person = get_user_model().objects.create_user(name.replace(" ", "-"), is_staff=True)
        person.groups.set(Group.objects.filter(name=name))
        found[name.split()[-1] if name != STAFF else STAFF] = person
    return found | {NOBODY: AnonymousUser()}


def expected(who, names):
    """Whether the line of the table lets this person in."""
    if who in (NOBODY, STAFF):
        return names == "all" or (names == "people" and who == STAFF)
    return names in ("all", "people", "everyone") or who in names.split()


def pages_of_models():
    """Each page of the admin of a model: its route, method, and who may open it."""
    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        line, has_rows = TABLE["admin"][name], model.objects.exists()
        one = f"admin/{name}/<path:object_id>"
        yield f"admin/{name}/", "GET", line["see"]
        yield f"admin/{name}/add/", "GET", line.get("add", "")
        yield f"{one}/change/", "GET", line["see"]
        yield f"{one}/change/", "POST", line.get("change", "")
        yield f"{one}/delete/", "GET", line.get("delete", "")
        if has_rows:
            yield f"{one}/history/", "GET", line["see"]
        for action, names in line.get("actions", {}).items():
            below = [f"admin/{name}/{action}/", f"{one}/{action}/", f"admin/{name}/<id>/{action}/"]
            (route,) = set(below) & set(addresses.pages())
            if route == below[0] or has_rows:
                yield route, "GET", names


def test_every_address_has_a_rule():
    stated = {route.replace("APPS", _apps()) for route in TABLE["pages"]}
    for name, line in TABLE["admin"].items():
        one = f"admin/{name}/<path:object_id>"
        stated |= {f"admin/{name}/", f"admin/{name}/add/", f"{one}/"}
        stated |= {f"{one}/{page}/" for page in ("change", "delete", "history")}
        for action in line.get("actions", ()):
            stated |= {f"admin/{name}/{action}/", f"{one}/{action}/"}
            stated |= {f"admin/{name}/<id>/{action}/"}
    assert sorted(set(addresses.pages()) - stated) == []
    # No line for an address that is gone.
    assert set(TABLE["admin"]) == {
        f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry
    }


def _apps():
    route = next(each for each in addresses.pages() if "?P<app_label>" in each)
    return route.split("<app_label>")[1].split(")")[0]


def test_everybody_gets_what_the_role_may(persons):
    # A misspelled name of a role would let nobody in.
    known = set(persons) | {"all", "people", "everyone"}
    pages = [
        (route.replace("APPS", _apps()), "GET", names)
        for route, names in TABLE["pages"].items()
        if route not in NOT_CALLED and not route.startswith(OWN_ACCOUNT)
    ]
    wrong = []
    for route, method, names in [*pages, *pages_of_models()]:
        assert set(names.split()) <= known, (route, names)
        path = path_of(route)
        for who, person in persons.items():
            got, may = outcome(person, method, path), expected(who, names)
            refused = "sign in" if who == NOBODY else "no"
            if (got == refused) == may and route != AUTOCOMPLETE:
                wrong.append(f"{method} /{route}: {who} gets {got}, the table says {may}")
    assert wrong == []


def test_pages_of_the_own_account_need_a_sign_in(client):
    for route, names in TABLE["pages"].items():
        if route.startswith(OWN_ACCOUNT) and names == "people":
            answer = client.get(path_of(route))
            assert answer.status_code == 302, route
            assert answer["Location"] == "/" or "/admin/login/" in answer["Location"], route


def scopes_of(view, method):
    return " ".join(view.scopes.get(method, ())) or "any"


def test_every_operation_of_the_api_states_its_scopes():
    found = {}
    for route, pattern in addresses.routes():
        view = getattr(pattern.callback, "view_class", None)
        for method in ("GET", "POST"):
            if (
                addresses.is_api(route)
                and hasattr(view, "scopes")
                and hasattr(view, method.lower())
            ):
                found[f"{method} {route}"] = scopes_of(view, method)
    assert found == TABLE["api"]


def test_a_session_of_a_person_opens_no_address_of_the_api(persons):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("grace"))
    for line in TABLE["api"]:
        method, route = line.split(" ")
        assert client.generic(method, path_of(route)).status_code == 401, line


def test_every_route_of_the_gateway_needs_a_session_token():
    assert {f"{method} {path}" for method, path in ROUTES} == set(TABLE["gateway"])


def test_every_command_is_for_people_with_a_shell():
    own = {
        command
        for app in apps.get_app_configs()
        if ".venv" not in app.path and "site-packages" not in app.path
        for command in find_commands(f"{app.path}/management")
    }
    assert own == set(TABLE["commands"])
