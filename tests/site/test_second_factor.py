"""Second factors: TOTP, recovery codes, roles that require one; sessions; the page to sign in."""

import base64
import hmac
import re
import struct
import time

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.test import Client

from gate import services
from gate.models import SecondFactorKey
from security.models import AuditEntry
from security.services import rekey_vault
from tests.actors import GRACE
from tests.moments import NOON
from tests.signed_in import confirm

pytestmark = pytest.mark.django_db
PASSWORD = "fern-hill-92"  # noqa: S105
SET_UP = "/account/second-factor/totp/activate/"
CODE = "/account/second-factor/authenticate/"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    """The real hash of a password takes half a second on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def carol():
    return get_user_model().objects.create_user("carol", password=PASSWORD, is_staff=True)


def totp(seed, *, steps=0):
    """The code of RFC 6238 for now, or so many steps of 30 seconds later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(seed), counter, "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF) % 10**6:06}"


def sign_in(client, password=PASSWORD):
    return client.post("/admin/login/", {"login": "carol", "password": password, "next": "/"})


@pytest.fixture
def seed(client, carol):
    """The seed of carol's authenticator app, which she has set up; `client` is signed in."""
    sign_in(client)
    return set_up(client)


def set_up(client):
    """Confirm the password and set up an authenticator app; its seed."""
    assert client.get(SET_UP)["Location"].startswith("/account/confirm/")
    client.post("/account/confirm/", {"password": PASSWORD})
    seed = re.search(r'value="([A-Z2-7]{32})"', client.get(SET_UP).content.decode())[1]
    assert client.post(SET_UP, {"code": totp(seed)}).status_code == 302
    return seed


def is_signed_in(client):
    return client.get("/").status_code == 200


def test_a_password_alone_signs_nobody_in_who_has_a_second_factor(seed):
    browser = Client()
    assert sign_in(browser)["Location"].startswith(CODE)
    assert not is_signed_in(browser)
    wrong = f"{(int(totp(seed)) + 1) % 10**6:06}"
    assert b"Incorrect code" in browser.post(CODE, {"code": wrong}).content
    assert not is_signed_in(browser)


def test_the_code_of_the_app_signs_in(seed, time_machine):
    time_machine.move_to(NOON)
    browser = Client()
    sign_in(browser)
    assert browser.post(CODE, {"code": totp(seed)})["Location"] == "/"
    assert is_signed_in(browser)


def test_a_code_works_once(seed, time_machine):
    time_machine.move_to(NOON, tick=False)
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser)
        browser.post(CODE, {"code": totp(seed)})
    assert is_signed_in(first) and not is_signed_in(second)


def test_guesses_of_the_code_are_limited_across_processes(seed, time_machine):
    time_machine.move_to(NOON, tick=False)
    browser = Client()
    sign_in(browser)
    wrong = f"{(int(totp(seed)) + 1) % 10**6:06}"
    for _ in range(5):
        browser.post(CODE, {"code": wrong})
    browser.post(CODE, {"code": totp(seed)})
    assert not is_signed_in(browser)


def test_a_recovery_code_signs_in_once(seed, client, carol):
    page = client.get("/account/second-factor/recovery-codes/").content.decode()
    code = re.search(r"(?m)>\s*(\d{8})$|^(\d{8})", page)[0].strip("> \n")
    for works in (True, False):
        browser = Client()
        sign_in(browser)
        browser.post(CODE, {"code": code})
        assert is_signed_in(browser) is works


def test_seeds_are_sealed_and_survive_a_rekey_of_the_vault(seed, carol, time_machine):
    for row in Authenticator.objects.all():
        assert seed not in str(row.data)
    before = bytes(SecondFactorKey.objects.get().key)
    rekey_vault(actor=GRACE, now=NOON)
    assert bytes(SecondFactorKey.objects.get().key) != before
    data = Authenticator.objects.get(type="totp").data
    assert services.unseal_seed(data["secret"]) == seed


def test_second_factors_are_in_the_audit(client, carol, django_capture_on_commit_callbacks):
    sign_in(client)
    with django_capture_on_commit_callbacks(execute=True):
        set_up(client)
    actions = AuditEntry.objects.about(f"user:{carol.pk}").values_list("action", "actor_name")
    assert set(actions) == {("second_factor.add", "carol")}


@pytest.mark.parametrize("required", ["key custodian", "superuser"])
def test_a_role_that_requires_a_second_factor_reaches_only_its_set_up(
    client, carol, settings, required
):
    settings.SECOND_FACTOR_ROLES = [required]
    carol.groups.set(Group.objects.filter(name=required))
    carol.is_superuser = required == "superuser"
    carol.save()
    sign_in(client)
    for path in ("/", "/admin/", "/admin/keys/apikey/", "/access"):
        assert client.get(path)["Location"] == "/account/second-factor/"
    assert client.post("/admin/keys/apikey/add/", {})["Location"] == "/account/second-factor/"
    set_up(client)
    assert is_signed_in(client)


def test_others_need_no_second_factor(client, carol, settings):
    settings.SECOND_FACTOR_ROLES = ["superuser"]
    sign_in(client)
    assert is_signed_in(client)


def test_sessions_are_listed_and_the_others_end(client, carol):
    other = Client(headers={"User-Agent": "Old telephone"})
    for browser in (client, other):
        sign_in(browser)
    assert "Old telephone" in client.get("/account/sessions/").content.decode()
    client.post("/account/sessions/")
    assert is_signed_in(client) and not is_signed_in(other)


def test_nobody_signs_up(client, db):
    for path in ("/account/signup/", "/account/sign-up/", "/accounts/signup/"):
        assert client.post(path, {"username": "mallory"}).status_code == 404


def test_people_who_are_no_staff_are_not_sent_round_in_circles(client, db):
    get_user_model().objects.create_user("carol", password=PASSWORD)
    sign_in(client)
    assert client.get("/", follow=True).status_code == 403


def test_a_code_that_opens_every_account_stops_production(settings):
    settings.PRODUCTION, settings.MFA_TOTP_INSECURE_BYPASS_CODE = True, "000000"
    settings.SECOND_FACTOR_ROLES = ["custodian"]
    found = {message.id for message in run_checks()}
    assert {"butler.E003", "butler.E004"} <= found


@pytest.mark.parametrize("path", ["/admin/login/", "/account/second-factor/", SET_UP])
def test_the_pages_keep_to_the_strict_policy(client, carol, path):
    if path != "/admin/login/":
        client.force_login(carol)
        confirm(client, carol)
    answer = client.get(path)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
    assert " style=" not in page and " onclick=" not in page
