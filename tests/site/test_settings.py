"""Settings: a wrong value stops the start with a sentence, and the example names every variable."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import override_settings

from butler_site import checks

ROOT = Path(__file__).resolve().parents[2]
SECRET = "kUZqyX1c0uWv7h3JxN5tPa9sRb2dLe4mGf6oTi8wYzQnCvEj0B"
PRODUCTION = {
    "BUTLER_PRODUCTION": "yes",
    "BUTLER_PUBLIC_URL": "https://butler.example.com",
    "BUTLER_SECRET_KEY": SECRET,
}
# Never connected to: the settings only read it, and nothing embedded is started.
ELSEWHERE = "postgres://butler:hunter2@192.0.2.1/butler"


def settings(tmp_path, *, show="PORT", **environ):
    """Import the settings in a process of their own and print one of them."""
    blank = dict.fromkeys(variables_read(), "")
    return subprocess.run(
        [sys.executable, "-c", f"from butler_site import settings; print(settings.{show})"],
        cwd=ROOT,
        env={**os.environ, **blank, "BUTLER_VAR_DIR": str(tmp_path), "DATABASE_URL": ELSEWHERE}
        | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def variables_read():
    """The names of all variables that settings.py reads."""
    source = (ROOT / "butler_site" / "settings.py").read_text(encoding="utf-8")
    return set(re.findall(r'env\.(?!WrongSetting)\w+\(\s*"([A-Z_]+)"', source))


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"PORT": "80000"}, "PORT is '80000': write a whole number from 1 to 65535."),
        ({"BUTLER_PRODUCTION": "perhaps"}, "BUTLER_PRODUCTION is 'perhaps': write yes or no."),
        ({"BUTLER_PUBLIC_URL": "butler"}, "write an address such as https://"),
        ({"BUTLER_LOG_FORMAT": "xml"}, "BUTLER_LOG_FORMAT is 'xml': write text or json."),
        ({"BUTLER_QUEUE_WORKERS": "0"}, "write a whole number from 1 to 64."),
        ({"DATABASE_URL": "sqlite:///x"}, "DATABASE_URL is not usable: write postgres://"),
        ({"BUTLER_SECRET_KEY": "hunter2"}, "BUTLER_SECRET_KEY is too short"),
        (PRODUCTION | {"BUTLER_SECRET_KEY": ""}, "BUTLER_SECRET_KEY is not set"),
        (PRODUCTION | {"BUTLER_PUBLIC_URL": ""}, "BUTLER_PUBLIC_URL is ''"),
        (PRODUCTION | {"BUTLER_PUBLIC_URL": "http://a.example"}, "such as https://"),
        (PRODUCTION | {"BUTLER_DEBUG": "yes"}, "BUTLER_DEBUG is yes in production"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_sentence(tmp_path, environ, sentence):
    ended = settings(tmp_path, **environ)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "hunter2" not in ended.stderr


def test_a_database_elsewhere_means_that_nothing_is_embedded(tmp_path):
    ended = settings(tmp_path, show="DATABASES['default']['HOST']")
    assert ended.stdout == "192.0.2.1\n"
    assert not (tmp_path / "postgres").exists()


def test_development_keeps_a_secret_key_of_its_own(tmp_path):
    first, second = (settings(tmp_path, show="SECRET_KEY").stdout for _ in range(2))
    assert first == second
    assert len(first.strip()) >= 50
    assert settings(tmp_path / "other", show="SECRET_KEY").stdout != first


def test_production_is_https_only(tmp_path):
    shown = "SECURE_SSL_REDIRECT, settings.SESSION_COOKIE_SECURE, settings.CSRF_TRUSTED_ORIGINS"
    ended = settings(tmp_path, show=shown, **PRODUCTION)
    assert ended.stdout == "True True ['https://butler.example.com']\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    ended = settings(tmp_path, BUTLER_VAR_DIR=str(tmp_path / "file" / "var"))
    assert ended.returncode == 1
    assert "cannot be made or read (Not a directory): give this user the right to" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_variables_that_butler_does_not_know_are_told_with_the_name_that_is_meant(tmp_path):
    wrong = {
        "BUTLER_PUBLIC_ULR": "hunter2",
        "BUTLER_TASK_WORKER": "3",
        "BUTLER_ZZZ": "x",
        "BUTLER_EMPTY": "",
        "BUTLER_GATE_TOKEN": "x",
        "OTHER_BUTLER_PORT": "x",
    }
    ended = settings(tmp_path, show="UNKNOWN_VARIABLES", **wrong)
    assert ended.returncode == 0
    assert ended.stdout.strip() == str(
        {
            "BUTLER_PUBLIC_ULR": "BUTLER_PUBLIC_URL",
            "BUTLER_TASK_WORKER": "BUTLER_TASK_WORKERS",
            "BUTLER_ZZZ": None,
        }
    )


@override_settings(UNKNOWN_VARIABLES={"BUTLER_PROT": "BUTLER_PORT", "BUTLER_X": None})
def test_the_check_asks_about_unknown_variables_and_stops_nothing():
    found = checks.variables_are_known()
    assert [warning.msg for warning in found] == [
        "BUTLER_PROT is set, but Butler has no such setting. Did you mean BUTLER_PORT?",
        "BUTLER_X is set, but Butler has no such setting.",
    ]
    assert not any(warning.is_serious() for warning in found)


def test_a_public_address_below_a_path_is_that_of_links_and_cookies(tmp_path):
    shown = "STATIC_URL, settings.SESSION_COOKIE_PATH, settings.CSRF_TRUSTED_ORIGINS"
    address = {"BUTLER_PUBLIC_URL": "https://butler.example.com/finance/butler/"}
    ended = settings(tmp_path, show=shown, **PRODUCTION | address)
    assert (
        ended.stdout == "/finance/butler/static/ /finance/butler ['https://butler.example.com']\n"
    )


def test_the_example_names_every_variable_and_no_other():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^# ([A-Z][A-Z_]+)=", example, re.MULTILINE))
    assert named == variables_read()


def test_the_operations_manual_names_every_variable():
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert {name for name in variables_read() if f"`{name}`" not in manual} == set()
