"""What a browser can be made to do for another site: forms, addresses, cookies, frames, hosts."""

import logging
import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db
PASSWORD = "fern-hill-92"
SIGN_IN = {"login": "grace", "password": PASSWORD}
MARKUP = "\"'><script>x-canary</script>{{7*7}}${7*7}"
EVIL = "https://evil.example"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """The real hash of a password takes half a second on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def grace(db):
    """A superuser."""
    return get_user_model().objects.create_superuser("grace", password=PASSWORD)


@pytest.fixture
def browser(grace):
    """A browser that is signed in, whose forms need their token."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(grace)
    return browser


@pytest.mark.parametrize(
    "path",
    ["/admin/login/", "/admin/logout/", "/admin/password_change/", "/admin/keys/apikey/add/"]
    + [f"/admin/keys/apikey/nvidia-1/{action}/" for action in ("switch_off", "replace_secret")],
)
@pytest.mark.parametrize("headers", [{}, {"Origin": EVIL}, {"Origin": "null"}])
def test_a_form_of_another_site_does_nothing(browser, people, path, headers):
    key = add_key("nvidia-1")
    page = browser.get("/admin/keys/apikey/add/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1] if headers else ""
    sent = {"_form_submitted": "on", "reason": "x", "csrfmiddlewaretoken": token}
    answer = browser.post(path, SIGN_IN | sent, headers=headers)
    assert answer.status_code == 403
    key.refresh_from_db()
    assert key.status == "active"
    assert "_auth_user_id" in browser.session


def test_a_link_signs_nobody_out(browser):
    assert browser.get("/admin/logout/").status_code == 405
    assert "_auth_user_id" in browser.session


@pytest.mark.parametrize(
    "address",
    [
        EVIL,
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "http:///evil.example",
        "javascript:alert(1)",
        " https://evil.example",
        "https://testserver@evil.example",
        "/\t/evil.example",
        "/x\r\nSet-Cookie: a=b",
    ],
)
def test_signing_in_leads_to_no_other_site(client, grace, address):
    answer = client.post(reverse("admin:login"), SIGN_IN | {"next": address})
    assert answer.status_code == 302
    assert answer["Location"] == "/" or answer["Location"].startswith("/x%0D%0A")
    assert "a" not in answer.cookies


def test_signing_in_begins_another_session(client, grace):
    client.get("/admin/login/")
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    assert client.post("/admin/login/", SIGN_IN).status_code == 302
    assert client.session.session_key != before


def test_cookies_and_frames_are_for_this_site_only(client, grace, settings):
    client.get("/admin/login/")
    answer = client.post("/admin/login/", SIGN_IN)
    cookie = answer.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert answer.cookies[settings.CSRF_COOKIE_NAME]["samesite"] == "Lax"
    assert client.get("/admin/")["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-For": "198.51.100.7"},
        {"X-Forwarded-Port": "666"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Original-URL": "/admin/"},
        {"X-Rewrite-URL": "/admin/"},
        {"X-HTTP-Method-Override": "POST"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_headers_that_only_a_proxy_may_send_are_not_believed(client, headers):
    plain, told = client.get("/nowhere"), client.get("/nowhere", headers=headers)
    assert told.status_code == plain.status_code == 404
    assert not told.wsgi_request.is_secure()
    assert told.wsgi_request.get_host() == "testserver"
    assert b"evil.example" not in told.content
    assert client.get("/admin/", headers=headers)["Location"] == "/admin/login/?next=/admin/"


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver:x", "a b"])
def test_a_host_that_is_not_ours_is_refused(client, host):
    for path in ("/admin/login/", "/api/v1/me", "/readyz"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400, path
        assert host.encode() not in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/?period={}",
        "/?session={}",
        "/nowhere/{}",
        "/admin/{}/",
        "/admin/login/?next=/{}",
        "/admin/keys/apikey/?q={}",
        "/admin/keys/apikey/?o={}",
        "/admin/keys/apikey/?status__exact={}",
        "/admin/keys/apikey/{}/change/",
        "/admin/alerts/alert/?q={}",
        "/admin/orchestration/task/?q={}",
        "/admin/security/auditentry/?subject={}",
        "/api/v1/docs?x={}",
        "/api/v1/errors?x={}",
    ],
)
def test_what_an_address_says_is_no_markup_of_the_page(browser, path):
    answer = browser.get(path.format(MARKUP), follow=True)
    assert answer.status_code < 500
    page = answer.content.decode()
    assert "<script>x-canary" not in page
    assert "'><script" not in page
    assert "x-canary</script>4" not in page


@pytest.mark.parametrize(
    "path", ["/nowhere/%0AERROR%20forged", "/%1b[31mred", "/admin/%0d%0aforged/"]
)
def test_a_line_of_the_log_stays_one_line_without_escape_codes(client, caplog, path):
    with caplog.at_level(logging.INFO):
        client.get(path)
        client.get("/", headers={"Host": "evil\n\x1b[31m.example"})
    assert caplog.records
    for record in caplog.records:
        assert not re.search(r"[\n\r\x1b]", record.getMessage())
