"""Findings: Butler's own secrets are found in any form, and what follows from a leak."""

import base64
import io
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.urls import reverse

from alerts.models import Alert, Channel
from gate import services
from gate.models import Finding
from gate.refusals import FindingDecided, FindingNotFound
from keys import services as keys
from keys.identity.queries.credentials import session_token
from keys.models import Agent, Freeze
from keys.own_secrets import OwnSecrets
from security.models import AuditEntry
from security.scanner import cli
from security.scanner.rules import BY_ID
from tests.actors import ADA, GRACE
from tests.alerts.builders import channel
from tests.api.caller import Caller, token_of
from tests.keys.admin_forms import CONFIRMED
from tests.keys.builders import FREE, add_key, allocate
from tests.moments import NOON
from tests.security.scanner.bodies import body
from tests.security.scanner.listening_butler import listening

pytestmark = pytest.mark.django_db
# Of no form that a rule knows.
SECRET = "q7wZ2mPx9LrT4vBn8KcD_5"  # noqa: S105 - butler:allow generic-secret of no provider
REPORT = services.FindingReport("generic", "src/app.py", 7, "… (24 characters)")


@pytest.fixture
def leaked(people):
    """The secret of a key, and another key for its sessions."""
    terms = keys.KeyTerms(provider="nvidia", model="model-1", rates=FREE)
    keys.add_key("key-1", terms=terms, secret=SECRET, actor=GRACE, now=NOON)
    add_key("key-2", provider="openai")
    return SECRET


def subjects(text):
    """Whose secrets are in a text."""
    return [secret.subject for secret in OwnSecrets().find(text)]


@pytest.mark.parametrize(
    "text",
    [
        "{0}",
        "x = f({0!r},\n  1)",
        "https://example.org/?a=1&key={0}#end",
        '{{"log": "sent \\"{0}\\" to them"}}',
        "(Bearer {0})",
        "lines\n" * 500 + "{0}",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda secret: base64.b64encode(f"user:{secret}:".encode()).decode(),
        lambda secret: quote(f"{secret}/", safe="").replace("q", "%71"),
    ],
)
def test_a_secret_is_found_without_its_form(leaked, text, form):
    assert subjects(text.format(form(leaked))) == ["key:key-1"]


def test_what_is_no_secret_of_ours_is_not_found(leaked):
    assert subjects(f"{leaked[:-1]} {leaked}x {leaked[1:]} a-word-of-many-letters") == []


@pytest.mark.parametrize("words", ["sk-no-key-required", "hooks-of-team-12"])
def test_words_and_hosts_in_place_of_a_secret_are_none(people, words):
    terms = keys.KeyTerms(provider="nvidia", model="model-1", rates=FREE)
    keys.add_key("key-1", terms=terms, secret="sk-no-key-required", actor=GRACE, now=NOON)
    run = "TokenA1B2C3D4E5F6G7"
    channel(f"json://user:{run}@hooks-of-team-12.example.org/x")
    assert subjects(f"{words} {run}") == [f"channel:{Channel.objects.get().pk}"]


def test_tokens_and_channels_are_secrets_too(leaked):
    session = allocate(tokens=1_000)
    row = channel("json://example.org/TokenA1B2C3D4E5F6G7")
    _, token = keys.issue_token(Agent.objects.get(pk="bob"), actor=GRACE, now=NOON)
    text = f"{session_token(session.session_id)}\n{token}\nTokenA1B2C3D4E5F6G7"
    found = OwnSecrets().find(text)
    assert (f"session:{session.session_id}", 1) in found
    assert (f"channel:{row.pk}", 3) in found


def test_a_new_secret_is_known_at_once(leaked):
    fresh = SECRET[::-1]
    keys.replace_secret("key-1", secret=fresh, reason="rolled", actor=GRACE, now=NOON)
    assert subjects(fresh) == ["key:key-1"]
    assert subjects(SECRET) == []


def test_a_leaked_key_is_frozen_and_people_are_told(leaked):
    text = f"first\nkey = {leaked}"
    (finding,) = services.report_finding(REPORT, text=text, actor=ADA, now=NOON)
    assert (finding.rule, finding.line, finding.subject) == ("own-secret", 8, "key:key-1")
    assert finding.replace_by == NOON + timedelta(hours=24)
    assert Freeze.objects.get().scope == "key:key-1"
    alert = Alert.objects.get(kind="secret_leaked")
    assert (alert.key_id, alert.severity) == ("key-1", "critical")
    # The secret is nowhere.
    written = [*Finding.objects.values(), *AuditEntry.objects.values(), *Alert.objects.values()]
    assert leaked not in str(written)
    # The same again is the same.
    assert services.report_finding(REPORT, text=text, actor=ADA, now=NOON) == [finding]
    assert Freeze.objects.count() == Finding.objects.count() == 1
    assert allocate(tokens=1_000).api_key_id == "key-2"


def test_a_finding_of_anything_else_is_recorded_only(leaked):
    (finding,) = services.report_finding(REPORT, text="nothing", actor=ADA, now=NOON)
    assert (finding.rule, finding.subject, finding.replace_by) == ("generic", "", None)
    assert not Freeze.objects.exists()
    assert not Alert.objects.exists()


def test_what_is_not_replaced_in_time_is_told_again(leaked):
    finding = services.report_leak("key:key-1", path="a.log", line=1, actor=ADA, now=NOON)
    services.alert_of_overdue_findings(now=NOON + timedelta(hours=23))
    overdue = Alert.objects.filter(kind="secret_not_replaced")
    assert not overdue.exists()
    services.alert_of_overdue_findings(now=NOON + timedelta(hours=24))
    assert overdue.get().status == "open"
    decided = {"status": "fixed", "reason": "replaced", "actor": GRACE, "now": NOON}
    services.decide_finding(finding.pk, **decided)
    assert {alert.status for alert in Alert.objects.exclude(kind="frozen")} == {"resolved"}
    with pytest.raises(FindingDecided):
        services.decide_finding(finding.pk, **decided)
    with pytest.raises(FindingNotFound):
        services.decide_finding(0, **decided)


@pytest.mark.parametrize(("action", "status"), [("fix", "fixed"), ("allow", "allowed")])
def test_a_person_decides_with_a_reason(client, leaked, action, status):
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    (finding,) = services.report_finding(REPORT, actor=ADA, now=NOON)
    page = reverse("admin:gate_finding_change", args=[finding.pk])
    assert "src/app.py:7" in client.get(page).content.decode()
    address = reverse(f"admin:gate_finding_{action}", args=[finding.pk])
    client.post(address, CONFIRMED | {"reason": ""})
    finding.refresh_from_db()
    assert finding.status == "open"
    client.post(address, CONFIRMED | {"reason": "an example"})
    finding.refresh_from_db()
    assert (finding.status, finding.decided_by, finding.reason) == (status, "grace", "an example")


def test_an_agent_reports_by_the_api(leaked):
    caller = Caller(token_of("ada"))

    def report(**more):
        answer = caller.post("/findings", rule="generic", path="a.py", line=3, **more)
        assert answer.status_code == 200
        (finding,) = answer.json()["findings"]
        return finding

    found = report(text=f"k: {leaked}")
    assert (found["subject"], found["line"], found["status"]) == ("key:key-1", 3, "open")
    assert report()["subject"] == ""


@pytest.mark.parametrize(("options", "subject"), [([], ""), (["--report-secrets"], "key:key-1")])
def test_what_the_scanner_sends_is_what_the_api_takes(
    client, leaked, tmp_path, monkeypatch, options, subject
):
    secret = body(BY_ID["nvidia-key"])
    keys.replace_secret("key-1", secret=secret, reason="rolled", actor=GRACE, now=NOON)
    (tmp_path / "a.txt").write_text(f"a\nb = {secret}\n")
    monkeypatch.setenv("BUTLER_GATE_TOKEN", token_of("ada"))
    with listening() as butler:
        cli.main(["scan", str(tmp_path), "--report", butler.url, *options])
    for path, headers, sent in butler.requests:
        answer = client.post(path, sent, headers["Content-Type"], headers=headers)
        assert answer.status_code == 200, answer.content
    found = Finding.objects.values_list("subject", "line", "path")
    assert list(found) == [(subject, 2, f"{tmp_path}/a.txt")]


def test_a_command_looks_in_files(leaked, tmp_path):
    (tmp_path / "clean.txt").write_text("nothing")
    out = io.StringIO()
    call_command("scan_own", str(tmp_path), stdout=out)
    (tmp_path / "app.log").write_text(f"a\nb {leaked}\n")
    for options in ([], ["--report"]):
        with pytest.raises(SystemExit):
            call_command("scan_own", str(tmp_path), *options, stdout=out)
        assert Finding.objects.count() == len(options)
    assert f"{tmp_path}/app.log:2 the secret of key:key-1" in out.getvalue()
    assert leaked not in out.getvalue()
    assert Freeze.objects.get().scope == "key:key-1"
