"""Single sign-on with an OpenID Connect provider in its own process."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.contrib.auth import get_user_model
from django.test import Client

from gate import services
from gate.access import Access
from tests.actors import GRACE
from tests.moments import NOON
from tests.site.openid_provider import CLIENT

pytestmark = pytest.mark.django_db
LOGIN = "/account/oidc/sso/login/?process=login&next=/"
CAROL = {"sub": "carol-1", "email": "carol@example.org", "email_verified": True}
NOBODY = Access(frozenset(), frozenset())


@pytest.fixture(scope="module")
def process():
    """The port of the provider."""
    command = [sys.executable, "-m", "tests.site.openid_provider"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as running:
        yield int(running.stdout.readline())
        running.terminate()


@pytest.fixture
def provider(process, settings):
    """The provider's URL; Butler is set up for it."""
    url = f"http://127.0.0.1:{process}"
    app = {"provider_id": "sso", "name": "Example", "client_id": CLIENT["client_id"]}
    app |= {"secret": CLIENT["client_secret"], "settings": {"server_url": url}}
    pkce = {"OAUTH_PKCE_ENABLED": True}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app], **pkce}}
    settings.OIDC_URL, settings.OIDC_NAME = url, "Example"
    settings.OIDC_ROLES = {}
    return url


def come(provider, claims, client=None, *, login=LOGIN):
    """Sign in as the person with these claims; Butler's last answer."""
    client = client or Client()
    requests.post(f"{provider}/claims", json=claims, timeout=5)
    to_provider = client.get(login)["Location"]
    assert to_provider.startswith(f"{provider}/authorization?")
    back = urlsplit(requests.get(to_provider, allow_redirects=False, timeout=5).headers["Location"])
    return client.get(f"{back.path}?{back.query}")


@pytest.fixture
def carol(db):
    """carol, who was invited with her address."""
    return services.invite("carol", email="Carol@example.org", access=NOBODY, actor=GRACE, now=NOON)


def is_signed_in(client):
    return client.get("/").status_code == 200


def test_the_page_to_sign_in_leads_to_the_provider(provider, client):
    page = client.get("/admin/login/?next=/access").content.decode()
    assert "Sign in with Example" in page and "/account/oidc/sso/login/?next=%2Faccess" in page


def test_an_invited_person_comes_in_by_a_verified_address(provider, carol):
    for _ in range(2):
        client = Client()
        answer = come(provider, CAROL, client)
        assert (answer.status_code, answer["Location"]) == (302, "/")
        assert is_signed_in(client)
    assert get_user_model().objects.count() == 1


@pytest.mark.parametrize("verified", [False, None, "true"])
def test_an_address_that_is_not_verified_links_nothing(provider, carol, verified):
    client = Client()
    assert come(provider, CAROL | {"email_verified": verified}, client).status_code == 403
    assert not is_signed_in(client)


def test_a_superuser_is_never_linked(provider, carol):
    carol.is_superuser = True
    carol.save()
    client = Client()
    assert come(provider, CAROL, client).status_code == 403
    assert not is_signed_in(client)


def test_a_stranger_stays_outside(provider, carol):
    client = Client()
    mallory = {"sub": "m", "email": "mallory@example.org", "email_verified": True}
    assert come(provider, mallory, client).status_code == 403
    assert get_user_model().objects.count() == 1


def test_groups_give_roles_and_take_them_away(provider, carol, settings):
    settings.OIDC_ROLES = {"money": "finance", "keys": "key custodian"}
    come(provider, CAROL | {"groups": ["money", "staff"]})
    assert set(carol.groups.values_list("name", flat=True)) == {"finance"}
    come(provider, CAROL | {"groups": ["keys"]})
    assert set(carol.groups.values_list("name", flat=True)) == {"key custodian"}
    come(provider, CAROL)
    assert not carol.groups.exists()


def test_a_group_with_a_role_makes_an_account(provider, carol, settings):
    settings.OIDC_ROLES = {"money": "finance"}
    client = Client()
    dave = {"sub": "dave", "email": "dave@example.org", "email_verified": True}
    come(provider, dave | {"groups": ["money"], "preferred_username": "dave"}, client)
    assert is_signed_in(client)
    dave = get_user_model().objects.get(username="dave")
    assert dave.has_perm("keys.add_adjustment") and not dave.is_superuser


def test_a_person_who_was_switched_off_stays_outside(provider, carol):
    come(provider, CAROL)
    services.switch_off(carol, reason="left", actor=GRACE, now=NOON)
    client = Client()
    come(provider, CAROL, client)
    assert not is_signed_in(client)


def test_a_signed_in_person_links_no_other_account(provider, carol):
    client = Client()
    client.force_login(carol)
    answer = come(provider, CAROL | {"sub": "x"}, client, login=LOGIN.replace("=login", "=connect"))
    assert answer.status_code == 403


def test_an_answer_that_was_not_asked_for_is_refused(provider, carol, client):
    answer = client.get("/account/oidc/sso/login/callback/?code=x&state=y")
    assert not is_signed_in(client)
    assert answer.status_code < 500
