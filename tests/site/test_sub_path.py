"""Butler below a path of its host: every link, redirect, cookie and address has the path."""

import re
import threading

import pytest
from django.urls import clear_script_prefix, set_script_prefix

from alerts import messages
from alerts.models import Alert
from butler_site.sub_path import without_prefix
from common import env, links
from common.public_urls import absolute, path_of
from gate import invitations
from gateway.app import Gateway
from tests.keys.builders import add_key, allocate
from tests.moments import NOON

_ADDRESS = re.compile(
    r"""\b(?:href|src|action|formaction|data-url|data-back|hx-\w+|sse-connect)=["']?(/[^"'\s>]*)"""
)
PAGES = (
    *("/", "/agents/ada", "/keys/nvidia-1?act=limit", "/budgets", "/tasks", "/charges", "/alerts"),
    *("/spend", "/treasury", "/search?q=nvidia", "/settings", "/admin/", "/account/second-factor/"),
    *("/admin/keys/apikey/nvidia-1/change/", "/api/v1/docs", "/nowhere", "/account/sessions/"),
)


@pytest.fixture
def below(settings):
    """As the settings are with `BUTLER_PUBLIC_URL=https://host.example/butler`."""
    settings.PUBLIC_URL = "https://host.example/butler"
    settings.FORCE_SCRIPT_NAME = "/butler"
    settings.LOGIN_REDIRECT_URL = settings.LOGOUT_REDIRECT_URL = "/butler/"
    settings.STATIC_URL = "/butler/static/"
    settings.UNFOLD = {**settings.UNFOLD, "SITE_URL": "/butler/"}
    # So that the files' storage reads it again.
    settings.STORAGES = {**settings.STORAGES}
    settings.SESSION_COOKIE_PATH = settings.CSRF_COOKIE_PATH = "/butler"
    # The web server does it with each request, the client of tests does not.
    set_script_prefix("/butler/")
    yield
    clear_script_prefix()


def in_a_thread(call):
    """What it returns in a thread that has served no request."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.django_db
def test_every_address_of_the_pages_has_the_path(below, admin_client, people):
    add_key("nvidia-1")
    allocate(tokens=1_000)
    for page in PAGES:
        html = admin_client.get(page).content.decode()
        found = _ADDRESS.findall(html)
        assert found, page
        strays = {each for each in found if not f"{each}/".startswith("/butler/")}
        assert not strays, f"{page}: {strays}"


@pytest.mark.django_db
def test_redirects_and_cookies_have_the_path(below, client, admin_user):
    """O62."""
    answer = client.get("/keys")
    assert answer["Location"] == "/butler/admin/login/?next=/butler/keys"
    form = {"login": admin_user.username, "password": "password", "next": "/butler/keys"}
    answer = client.post("/admin/login/?next=/butler/keys", form)
    assert answer["Location"] == "/butler/keys"
    # Those of the session, the forms and the messages: another application of the host has none.
    own = {name: cookie["path"] for name, cookie in answer.cookies.items()}
    assert len(own) == 3
    assert set(own.values()) == {"/butler"}
    assert all(name.startswith("butler_") for name in own)
    assert "signed in as" in (page := client.get("/keys")).content.decode()
    gone = [cookie for cookie in page.cookies.values() if cookie["max-age"] == 0]
    assert [cookie["path"] for cookie in gone] == ["/butler"]
    answer = client.post("/account/sign-out/")
    assert answer["Location"] == "/butler/"


@pytest.mark.django_db(transaction=True)
def test_the_probe_needs_no_tls_below_a_path(below, client, settings):
    """O62."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/keys").status_code == 301
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_addresses_outside_of_a_request_have_the_path_once(below, admin_user):
    alert = Alert(pk=7, kind="budget", title="t", raised_at=NOON)
    there = "https://host.example/butler"
    for call in (lambda call: call(), in_a_thread):
        assert call(lambda: absolute(links.url("alert", 7))) == f"{there}/alerts/7"
        assert call(lambda: messages._address(alert)) == f"{there}/alerts/7"
        assert call(lambda: path_of("dashboard:key", ["a"])) == "/butler/keys/a"
    assert in_a_thread(lambda: invitations.invitation_url(admin_user)).startswith(
        f"{there}/invitation/"
    )


def test_without_a_path_nothing_changes(settings):
    settings.PUBLIC_URL, settings.FORCE_SCRIPT_NAME = "https://host.example", None
    assert absolute(path_of("dashboard:key", ["a"])) == "https://host.example/keys/a"
    scope = {"type": "http", "path": "/butler/v1/models"}
    assert without_prefix(scope, None) is scope


@pytest.mark.parametrize(
    ("sent", "own"),
    [
        ("/butler/v1/models", "/v1/models"),
        ("/v1/models", "/v1/models"),
        ("/butler", "/"),
        ("/butler/", "/"),
        ("/butlers/keys", "/butlers/keys"),
        ("/butler/butler/x", "/butler/x"),
        ("/", "/"),
    ],
)
def test_a_proxy_may_pass_the_path_on_or_remove_it(sent, own):
    """O62."""
    scope = {"type": "http", "path": sent, "raw_path": sent.encode()}
    found = without_prefix(scope, "/butler")
    assert (found["path"], found["raw_path"]) == (own, own.encode())
    assert scope["path"] == sent


def test_the_gateway_is_found_below_the_path():
    scope = {"type": "http", "method": "POST", "path": "/butler/v1/messages", "headers": []}
    assert Gateway().serves(without_prefix(scope, "/butler"))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("https://a.example/butler/", "https://a.example/butler"),
        ("https://a.example:8443/x/y-1", "https://a.example:8443/x/y-1"),
        ("https://a.example", "https://a.example"),
        ("https://A.Example:8443/X", "https://a.example:8443/X"),
        (
            "https://b\N{LATIN SMALL LETTER U WITH DIAERESIS}ro.example",
            "https://xn--bro-hoa.example",
        ),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        (f"https://{'a' * 64}.example", None),
        ("https://a..example", None),
        ("https://a.example/../x", None),
        ("https://a.example//x", None),
        ("https://a.example/x?y", None),
        ("https://a.example/x y", None),
        ("a.example/x", None),
    ],
)
def test_the_public_address_may_have_a_path_of_plain_words(value, read):
    def found():
        return env.web_address_with_path("A", "", schemes=("https",), environ={"A": value})

    if read:
        assert found() == read
    else:
        with pytest.raises(env.WrongSetting, match="write an address"):
            found()


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://a.example:8443/x", "a.example"),
        ("https://a.example.", "a.example"),
        ("https://[2001:db8::1]:8443/x", "[2001:db8::1]"),
        ("http://127.0.0.1:8000", "127.0.0.1"),
    ],
)
def test_the_host_of_the_public_address_is_served(rf, settings, address, host):
    """O62."""
    settings.ALLOWED_HOSTS = [env.host_of(address)]
    assert [host] == settings.ALLOWED_HOSTS
    sent = address.partition("://")[2].partition("/")[0]
    assert rf.get("/", headers={"host": sent}).get_host() == sent
