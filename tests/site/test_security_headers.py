"""What each answer tells browsers and caches."""

import pytest
from django.contrib.auth.models import User

PATHS = [
    "/",
    "/admin/",
    "/admin/login/",
    "/api/v1/docs",
    "/api/v1/schema",
    "/api/v1/me",
    "/nowhere",
]


def policy(response):
    """The directives of the content security policy, by name."""
    text = response["Content-Security-Policy"]
    return {
        name: rest for name, _, rest in (each.strip().partition(" ") for each in text.split(";"))
    }


@pytest.fixture
def signed_in(client, db):
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("path", PATHS)
def test_no_page_runs_scripts_of_others_or_in_its_text(signed_in, path):
    directives = policy(signed_in.get(path, follow=True))
    assert directives["default-src"] == directives["base-uri"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["form-action"] == directives["connect-src"] == "'self'"
    assert "'unsafe-inline'" not in directives["script-src"]
    loose = "'unsafe-eval'" in directives["script-src"]
    assert loose == (path == "/admin/")


def test_the_page_to_sign_in_is_not_loose_as_the_admin_is(client, db):
    directives = policy(client.get("/admin/login/"))
    assert directives["script-src"] == directives["style-src"] == "'self'"


def test_own_pages_set_no_styles_in_their_text(signed_in):
    assert policy(signed_in.get("/"))["style-src"] == "'self'"


@pytest.mark.parametrize("path", PATHS)
def test_pages_cannot_use_the_devices_of_their_reader(signed_in, path):
    response = signed_in.get(path)
    assert "camera=()" in response["Permissions-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/status", "/api/v1/charges", "/api/x"])
def test_nobody_keeps_the_answers_of_the_api(client, db, path):
    assert client.get(path)["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "[::1", "a b", "<b>.example", "testserver.evil"])
def test_a_wrong_host_is_told_on_a_page_that_names_the_setting(client, host):
    for path in ("/", "/admin/login/", "/nowhere"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert "BUTLER_ALLOWED_HOSTS" in answer.content.decode()
        # Its tab says the same as its head.
        assert answer.content.decode().count("This host name is not one of Butler’s") == 2
        assert host not in answer.content.decode()
    unreadable = client.get("/?q=%00").content.decode()
    assert "The request cannot be read" in unreadable
    assert "BUTLER_ALLOWED_HOSTS" not in unreadable


def test_a_wrong_host_fills_no_log(client, caplog):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert "Traceback" not in caplog.text
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_the_schema_is_made_once_for_all(client, monkeypatch):
    first = client.get("/api/v1/schema")
    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", None)
    assert client.get("/api/v1/schema").content == first.content
    assert first["Content-Type"] == "application/json"
