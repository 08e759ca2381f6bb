"""Findings that are sent to Butler: what is sent, only when it is wanted, and never in the way."""

import json

import pytest

from security.scanner import butler_client, cli
from tests.security.scanner.conftest import KEY, LEAK
from tests.security.scanner.listening_butler import listening

TOKEN = "token-of-ada"  # noqa: S105
EXCERPT = f"nvapi-… ({len(KEY)} characters)"


@pytest.fixture
def butler():
    """A server in the place of Butler."""
    with listening() as server:
        yield server


@pytest.fixture
def scan(tmp_path, monkeypatch, capfd):
    """Scan a file with a leak; (exit code, what stands on standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUTLER_GATE_TOKEN", TOKEN)
    (tmp_path / "a.txt").write_text(LEAK)

    def run(*options):
        code = cli.main(["scan", "a.txt", *options])
        printed = capfd.readouterr()
        assert EXCERPT in printed.out
        assert KEY not in printed.out + printed.err
        assert TOKEN not in printed.err
        return code, printed.err

    return run


def bodies(butler):
    return [json.loads(body) for _, _, body in butler.requests]


def test_a_finding_is_sent_without_its_secret(scan, butler):
    assert scan("--report", f"{butler.url}/below/") == (1, "gate: Butler was told of 1 finding.\n")
    ((path, headers, body),) = butler.requests
    assert path == "/below/api/v1/findings"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Idempotency-Key"]
    fields = {"rule": "nvidia-key", "path": "a.txt", "line": 2, "excerpt": EXCERPT}
    assert json.loads(body) == fields


def test_the_secret_is_sent_only_when_it_is_wanted(scan, butler):
    scan("--report", butler.url, "--report-secrets")
    assert [body["text"] for body in bodies(butler)] == [KEY]


def test_nothing_is_sent_unless_it_is_wanted(scan, butler, monkeypatch):
    assert scan() == (1, "")
    # What a hook is told to do is no option of other scans.
    monkeypatch.setenv("BUTLER_GATE_URL", butler.url)
    assert scan() == (1, "")
    assert butler.requests == []


@pytest.mark.parametrize("status", [302, 401, 403, 422, 500])
def test_a_refusal_is_one_line_and_is_not_followed(scan, butler, status):
    butler.status = status
    code, said = scan("--report", butler.url)
    assert code == 1
    assert said == f"gate: Butler was told of 0 of 1 findings: it answered {status}.\n"
    assert len(butler.requests) == 1


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://butler.example.com", TOKEN),
        ("http://127.0.0.1.example.com", TOKEN),
        ("ftp://127.0.0.1", TOKEN),
        ("https://", TOKEN),
        ("https://[::1", TOKEN),
        ("http://127.0.0.1:wrong", TOKEN),
        ("http://127.0.0.1:1", TOKEN),
        ("", TOKEN),
        ("http://127.0.0.1:1", f"{TOKEN}\nx: y"),
    ],
)
def test_what_cannot_be_sent_is_one_line(scan, monkeypatch, url, token):
    monkeypatch.setenv("BUTLER_GATE_TOKEN", token)
    code, said = scan("--report", url)
    assert code == 1
    assert said.startswith("gate: Butler was told of 0 of 1 findings: ")
    assert said.count("\n") == 1


def test_a_server_that_does_not_answer_is_not_waited_for(scan, butler, monkeypatch):
    monkeypatch.setattr(butler_client, "_SECONDS", 0.01)
    butler.open.clear()
    code, said = scan("--report", butler.url)
    butler.open.set()
    assert code == 1
    assert "0 of 1 findings: no answer within 0.01 seconds" in said


def test_a_hook_sends_what_git_is_told_to_send(repository, butler):
    for name, value in (("report", butler.url), ("reporttoken", TOKEN), ("reportsecrets", "true")):
        repository.git("config", f"gate.{name}", value)
    repository.gate("install")
    repository.add("deep/line\nend.txt")
    assert "Butler was told of 1 finding." in repository.refused()
    ((_, headers, _),) = butler.requests
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    (body,) = bodies(butler)
    assert (body["path"], body["line"], body["text"]) == ("work/deep/line\\x0aend.txt", 2, KEY)


def test_a_hook_is_told_by_the_environment_too(repository, butler):
    repository.gate("install")
    repository.add("a.txt")
    environment = {"BUTLER_GATE_URL": butler.url, "BUTLER_GATE_TOKEN": TOKEN}
    repository.refused(**environment)
    assert [set(body) for body in bodies(butler)] == [{"rule", "path", "line", "excerpt"}]


def test_a_finding_of_the_history_names_its_commit(repository, butler):
    repository.add("a.txt")
    repository.commit()
    commit = repository.git("rev-parse", "HEAD").stdout[:12]
    repository.gate("scan", "--history", "--report", butler.url)
    assert [body["path"] for body in bodies(butler)] == [f"work/a.txt in commit {commit}"]
