"""Every way the API says no has one shape."""

import importlib
import json
import pkgutil
import re
from dataclasses import fields

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

import alerts
import gate
import gateway
import interchange
import keys
import orchestration
import prediction
import security
from api import status
from butler_site import errors
from common.refusal import Refusal
from gateway.error_responses import SHAPES
from keys import refusals as keys_refusals
from tests.api.caller import ROOT, assert_problem
from tests.keys.builders import add_key

pytestmark = pytest.mark.django_db

# What only commands read, never a request.
COMMANDS = ("interchange.replay", "interchange.state_files")


@pytest.fixture(scope="module")
def refusals():
    """Every class that is raised: those below Refusal that nothing is below of."""
    for app in (alerts, gate, gateway, interchange, keys, orchestration, prediction, security):
        for module in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
            if not re.search(r"\.(migrations|management|__main__)", module.name):
                importlib.import_module(module.name)
    below = {cls for cls in subclasses(Refusal) if not cls.__module__.startswith("tests")}
    return {cls for cls in below if not cls.__subclasses__()}


def test_every_refusal_has_a_status(refusals):
    requested = {cls for cls in refusals if not cls.__module__.startswith(COMMANDS)}
    # What only the gateway meets has its shape there; three of these its admission sees to.
    seen_to = {keys_refusals.HeldBefore, keys_refusals.KeyChanged, keys_refusals.KeyCannotServe}
    assert requested - set(errors.STATUS) - set(SHAPES) == seen_to
    assert not set(errors.STATUS) - refusals


def test_the_code_of_a_refusal_is_its_name_and_no_other_has_it(refusals):
    assert keys_refusals.ApiKeyNotFound.code == "api_key_not_found"
    codes = [cls.code for cls in refusals]
    assert {code.replace("_", "") for code in codes} == {cls.__name__.lower() for cls in refusals}
    assert len(set(codes)) == len(codes)


def test_a_refusal_says_what_it_is_and_its_fields_are_typed(refusals):
    for cls in refusals:
        assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}("), cls
        # A field that is only annotated would be no argument.
        assert set(vars(cls).get("__annotations__", ())) <= {f.name for f in fields(cls)}, cls
        assert cls.__hash__, cls


def subclasses(cls):
    """All below a class."""
    for below in cls.__subclasses__():
        yield below
        yield from subclasses(below)


def test_no_code_means_two_things():
    codes = [code for code, _, _ in errors.table()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1", "/api/v1/nothing", "/api/v1/me/", "/api/v2/me"]
)
def test_an_unknown_path_is_a_problem(client, path):
    assert_problem(client.get(path), 404, "not_found")
    assert_problem(client.post(path), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/allocations/%00",
        "/allocations/" + "x" * 65,
        "/allocations/a%20b",
        "/allocations/caf%C3%A9",
    ],
)
def test_a_path_that_names_nothing_is_404(ada, path):
    assert_problem(ada.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_another_method_is_405_and_says_which_it_knows(ada, method):
    response = getattr(ada.client, method)(f"{ROOT}/me", headers=ada.headers(None))
    assert_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"


def send(caller, body, content_type="application/json"):
    """POST bytes to /allocations."""
    path, headers = f"{ROOT}/allocations", caller.headers(None)
    return caller.client.generic("POST", path, body, content_type, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"tokens": NaN}',
        b'{"tokens": Infinity}',
        b"\xff\xfe",
        b'{"tokens": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 1_000_000,
        b'{"tokens": ' + b"9" * 1_000_000 + b"}",
    ],
    ids=range(10),
)
def test_what_is_no_json_is_400(ada, body):
    assert_problem(send(ada, body), 400, "malformed")


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b'{"tokens": 1e999999999}'])
def test_json_that_is_no_object_or_no_number_is_422(ada, body):
    assert_problem(send(ada, body), 422, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_another_media_type_is_415(ada, content_type):
    assert_problem(send(ada, b"tokens=5", content_type), 415, "unsupported_media_type")


def test_a_charset_is_not_asked_for(ada):
    add_key("nvidia-1")
    assert send(ada, b'{"tokens": 5}', "application/json; charset=bogus").status_code == 201


def test_a_body_beyond_all_need_is_413(ada):
    body = b" " * (settings.API_BODY_BYTES_MAX + 1)
    assert_problem(send(ada, body), 413, "body_too_large")


def test_a_wrong_host_is_a_problem_too(client):
    response = client.get("/api/v1/me", headers={"Host": "evil.example"})
    said = assert_problem(response, 400, "malformed")
    assert "BUTLER_ALLOWED_HOSTS" in said["detail"]
    assert "evil" not in response.text


def test_a_bug_is_500_logged_and_tells_nothing(ada, monkeypatch, caplog):
    monkeypatch.setattr(status, "provider_figures", fails(ZeroDivisionError("a secret thing")))
    ada.client.raise_request_exception = False
    response = ada.get("/status")
    assert_problem(response, 500, "internal_error")
    assert "secret thing" not in response.text
    assert "secret thing" in caplog.text


def test_a_database_that_is_away_is_503_and_may_be_asked_again(ada, monkeypatch):
    monkeypatch.setattr(status, "provider_figures", fails(OperationalError("gone")))
    response = ada.get("/status")
    assert_problem(response, 503, "unavailable")
    assert response["Retry-After"] == "1"


def fails(error):
    """A function that raises."""

    def call(**_):
        raise error

    return call


def test_too_many_requests_are_429_and_counted_for_each_token(ada, bob, settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    while timezone.now().second > 55:  # a new minute would begin in the middle
        continue
    answers = [ada.get("/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert_problem(answers[-1], 429, "rate_limited")
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert "x-should-retry" not in answers[-1]
    assert bob.get("/me").status_code == 200


def test_the_type_of_a_problem_leads_to_its_explanation():
    page = Client().get("/api/v1/errors")
    assert page.status_code == 200
    for code, _, _ in errors.table():
        assert f"<dt id={code}>" in page.text


def test_half_a_character_does_not_break_the_answer_that_quotes_it(ada):
    body = json.dumps({"\ud800": 1}).encode()
    assert_problem(send(ada, body), 422, "invalid_request")


def test_the_documentation_has_every_code():
    text = (settings.BASE_DIR / "docs" / "api.md").read_text(encoding="utf-8")
    for code, answered, _ in errors.table():
        assert f"| {answered} | `{code}` |" in text
