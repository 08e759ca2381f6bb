"""The kinds of alerts: each is registered, explained, documented, used, and leads to a page."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from alerts.alert_kinds import CHANNEL_FAILING
from alerts.kinds import AlertKind, all_kinds, find, register
from alerts.models import Alert
from common import links
from tests.alerts.kind_usage import registered_in_modules, unused_constants, violations

ROOT = Path(__file__).resolve().parents[2]
KINDS = list(all_kinds().values())
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.slug)


def test_every_alert_is_raised_with_a_registered_kind():
    assert violations(ROOT) == []


def test_every_kind_is_raised_somewhere():
    assert unused_constants(ROOT) == []


def test_the_kinds_of_all_apps_are_registered_when_django_has_started():
    assert len(KINDS) == registered_in_modules(ROOT) > 5


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        (
            "keys/books/settle.py",
            'raise_alert(kind="key_brokn", now=now)',
            "kind is not a constant of an alert_kinds module",
        ),
        (
            "keys/books/settle.py",
            "alerts.raise_alert(kind=alert_kinds.KEY_BROKN, now=now)",
            "KEY_BROKN is not registered",
        ),
        ("keys/books/settle.py", "raise_alert(now=now)", "no kind"),
        ("keys/books/settle.py", "AlertKind(slug='x')", "AlertKind outside of alert_kinds"),
        ("keys/alert_kinds.py", "X = AlertKind(slug='x')", "AlertKind without register"),
    ],
)
def test_an_unknown_kind_is_found(tmp_path, file, line, reason):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(line + "\n")
    assert violations(tmp_path) == [f"{file}:1: {reason}"]


def test_a_slug_is_registered_once():
    with pytest.raises(ValueError, match="channel_failing"):
        register(CHANNEL_FAILING)
    assert find("channel_failing") is CHANNEL_FAILING
    assert find("nonsense") is None


@each_kind
def test_a_kind_is_explained_in_full_sentences(kind: AlertKind):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.slug)
    for text in (kind.meaning, kind.remedy):
        assert text[0].isupper()
        assert text.endswith(".")
        assert len(text.split()) >= 8
        assert "  " not in text


@each_kind
def test_the_remedy_of_a_kind_has_a_page(kind: AlertKind):
    columns = {field.name for field in Alert._meta.fields}
    value = {kind.subject: "7"} if kind.subject in columns else {"facts": {kind.subject: 7}}
    alert = Alert(kind=kind.slug, **value)
    assert alert.remedy_path == links.url(kind.page, 7)
    assert resolve(urlsplit(alert.remedy_path).path)
    assert Alert(kind=kind.slug).remedy_path is None


def test_the_kind_of_another_system_has_no_explanation_and_no_page():
    alert = Alert(kind="foreign", key_id="nvidia-1")
    assert (alert.meaning, alert.remedy, alert.remedy_path) == ("", "", None)


def test_the_handbook_lists_every_kind_as_it_is():
    handbook = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \| (.+) \|$", handbook, re.MULTILINE)
    expected = [(kind.slug, kind.severity.value, kind.meaning, kind.remedy) for kind in KINDS]
    assert sorted(row for row in listed if row[1] in ("info", "warning", "critical")) == sorted(
        expected
    )
