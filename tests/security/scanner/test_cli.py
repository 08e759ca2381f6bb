"""The command line: exit codes, reports without secrets, baselines, and a quick start."""

import io
import json
import subprocess
import sys

import jsonschema
import pytest
from django.core.management import load_command_class

from security.scanner import cli, scan
from tests.security.scanner.conftest import KEY, LEAK, ROOT

# The schema of OASIS, as it was published.
SARIF = json.loads((ROOT / "tests/security/scanner/data/sarif-2.1.0.json").read_text())
HEAVY = {"argparse", "dataclasses", "typing", "pathlib", "subprocess", "json", "tomllib", "django"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a leak in `a.txt`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(LEAK)
    (tmp_path / "clean.txt").write_text("clean\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["scan", "clean.txt"], 0),
        (["scan", "a.txt"], 1),
        (["scan", "."], 1),
        (["scan", "no-such-file"], 2),
        (["scan"], 2),
        (["scan", "a.txt", "--staged"], 2),
        (["scan", "--staged"], 2),
        (["scan", "--format", "pdf", "a.txt"], 2),
        (["scan", "--wrong", "a.txt"], 2),
        (["wrong"], 2),
        ([], 2),
        (["help"], 0),
    ],
)
def test_the_exit_code_tells_found_from_failed(folder, monkeypatch, capfd, arguments, code):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert cli.main(arguments) == code
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err
    assert bool(printed.err) == (code == 2)


def test_standard_input_is_scanned():
    command = [sys.executable, "-m", "security.scanner", "scan", "--stdin"]
    done = subprocess.run(
        command, input=LEAK, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "-:2:7: nvidia-key" in done.stdout


def test_the_json_report_says_where_and_what(folder, capfd):
    cli.main(["scan", "--format=json", "a.txt"])
    (finding,) = json.loads(capfd.readouterr().out)
    assert finding["rule"] == "nvidia-key"
    assert (finding["path"], finding["line"], finding["column"]) == ("a.txt", 2, 7)
    assert finding["excerpt"] == f"nvapi-… ({len(KEY)} characters)"


def test_the_sarif_report_has_no_snippet(folder):
    (folder / "ä b.txt").write_text(LEAK)
    cli.main(["scan", "--format", "sarif", "--output", "report.sarif", "ä b.txt"])
    text = (folder / "report.sarif").read_text()
    jsonschema.validate(json.loads(text), SARIF)
    (run,) = json.loads(text)["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "%C3%A4%20b.txt"
    assert place["region"]["startLine"] == 2
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "nvidia-key"
    assert "snippet" not in text
    assert KEY not in text


def test_a_baseline_passes_over_what_is_known_and_has_no_secret(folder):
    assert cli.main(["scan", "a.txt", "--write-baseline", ".gate-baseline.json"]) == 0
    assert cli.main(["scan", "a.txt"]) == 0
    assert KEY not in (folder / ".gate-baseline.json").read_text()
    (folder / "a.txt").write_text("\n\n" + LEAK)
    assert cli.main(["scan", "a.txt"]) == 0
    (folder / "a.txt").write_text(LEAK.replace(KEY, KEY[:-1] + "-"))
    assert cli.main(["scan", "a.txt"]) == 1


def test_the_lines_of_a_large_file_are_counted_over_its_windows(folder):
    (folder / "large.txt").write_text("12345678\n" * 700_000 + LEAK)
    assert cli.main(["scan", "large.txt", "--format", "json", "--output", "out.json"]) == 1
    (finding,) = json.loads((folder / "out.json").read_text())
    assert finding["line"] == 700_002


def test_a_hook_imports_little():
    program = "import sys, security.scanner.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_pip_installs_the_command_without_other_packages_and_without_a_network(folder):
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-cache-dir")
    subprocess.run([*pip, "--target", str(folder / "site"), str(ROOT)], check=True)
    installed = {path.name for path in (folder / "site").iterdir()}
    assert installed == {"bin", "security", "butler-0.1.0.dist-info"}
    command = [sys.executable, str(folder / "site" / "bin" / "gate"), "scan", "a.txt"]
    environment = {"PYTHONPATH": str(folder / "site")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a.txt:2:7: nvidia-key" in done.stdout


def test_several_processes_find_the_same_in_the_same_order(folder, monkeypatch):
    for number in range(40):
        (folder / f"{number}.txt").write_text("clean\n" * number + LEAK)

    def found():
        rows = [finding for findings in scan.scan_paths(["."]).findings for finding in findings]
        return [(finding.path, finding.line, finding.secret) for finding in rows]

    alone = found()
    monkeypatch.setattr(scan, "_LARGE_BYTES", 0)
    assert found() == alone
    assert len(alone) == 41


def test_a_bar_grows_on_a_terminal_only(folder, monkeypatch):
    for number in range(120):
        (folder / f"{number}.txt").write_text("clean\n")
    for is_terminal in (True, False):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(stream, "isatty", lambda shown=is_terminal: shown)
        monkeypatch.setattr(sys, "stderr", stream)
        cli.main(["scan", "."])
        stream.flush()
        assert (b"] 100 of 122 files" in stream.buffer.getvalue()) == is_terminal


def test_manage_py_passes_the_command_line_on(folder):
    command = load_command_class("security", "gate")
    with pytest.raises(SystemExit) as end:
        command.run_from_argv(["manage.py", "gate", "scan", "a.txt"])
    assert end.value.code == 1
