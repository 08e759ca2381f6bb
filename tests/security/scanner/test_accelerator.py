"""With Hyperscan the findings are the same; without what it needs, it is not used."""

import base64
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from security.scanner import accelerator, cli
from security.scanner.engine import ALL_SEARCHES, scan_text
from security.scanner.rules import RULES
from tests.security.scanner.bodies import body, lines_with
from tests.security.scanner.conftest import LEAK, ROOT

SECRETS = [body(rule, seed) for rule in RULES for seed in range(2)]
NAMES = [
    *(
        "password",
        "apiKey",
        "DB_PASS",
        "x-api-key",
        "keyX",
        "xKey",
        "a.xKey",
        "secret",
        "auth",
        "pwd",
    ),
    *("KEY", "key_vault", "pass\u212aey", "api \u212aey", "Api Key", "login_pw", "identified by"),
]
SIGNS = [
    *(" = ", ": ", "=", ' "', ' => "', "\n- ", ": |\n  ", " ", "(", " is ", '": "', "' , value: '"),
    *(": str = '", '\\": \\"', " = f('", "</key>\n<string>", " | `", " || '", ' { default = "'),
]
# Short, long, without capitals and digits, with characters that are no ASCII.
VALUES = [
    *(
        "Gk3!xPq9zL",
        "a1b2c3d4e5",
        "short1",
        "zk\u0663abcdef!",
        "p\u00c4ssw\u00f6rt1",
        "abcdefg-hijk",
    ),
    *("q" + "w-e_" * 4 + "R" * 3 + "8tz", "qwerasdfyxcvbnmghjklpoiuztghbnd" + "W9d7"),
]
ENDS = ["", "\n", '"', "'\n", '\\"', "&b=1", "\\n", "`"]
ENCODINGS = [
    str,
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: "".join(f"%{ord(letter):02x}" for letter in secret),
    lambda secret: "".join(f"\\u{ord(letter):04x}" for letter in secret),
]
ASSIGNED = st.tuples(
    st.sampled_from(["", "# ", "export ", '"', "${", "a_", "\n", "sha256 of "]),
    st.sampled_from(NAMES + [word for rule in RULES for word in rule.words]),
    st.sampled_from(SIGNS),
    st.sampled_from(VALUES * 10 + SECRETS),
    st.sampled_from(ENDS),
).map("".join)
ENCODED = st.builds(
    lambda encode, secret: encode(secret), st.sampled_from(ENCODINGS), st.sampled_from(SECRETS)
)
NOISE = st.sampled_from(["é", "\n", " ", "x", "\\x41", "://", "token", "-", "\ud800"])
TEXTS = st.lists(ASSIGNED | ENCODED | NOISE, min_size=1, max_size=3).map("".join)


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        assert accelerator.load() is None
        accelerator.compile_file()
        yield accelerator.load()


def found(text, path, chosen=ALL_SEARCHES):
    return [
        (finding.rule, finding.line, finding.column, finding.secret, finding.level)
        for finding in scan_text(text, path, chosen)
    ]


@settings(max_examples=1_200, deadline=None)
@given(text=TEXTS, path=st.sampled_from(["a.txt", "a.py", "b.lock"]))
def test_the_findings_are_the_same_in_any_text(searches, text, path):
    assert found(text, path, searches(text)) == found(text, path)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_finds_the_same_before_each_secret(searches, name):
    for secret in SECRETS:
        text = f"{name} = {secret}"
        assert found(text, "a.txt", searches(text)) == found(text, "a.txt")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_finds_the_same_in_each_kind_of_file(searches, rule):
    for seed in range(5):
        for path, text in lines_with(body(rule, seed), rule).items():
            assert found(text, path, searches(text)) == found(text, path)


def test_the_code_of_this_repository_has_the_same_findings(searches):
    for path in sorted(ROOT.glob("security/**/*.py")) + sorted(ROOT.glob("tests/security/**/*.py")):
        text = path.read_text()
        assert found(text, path.name, searches(text)) == found(text, path.name)


def test_a_file_of_another_kind_is_not_used(searches, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with open(accelerator.compile_file(), "r+b") as file:
        file.write(b"damaged!" * 8)
    assert accelerator.load() is None


def test_a_hook_neither_compiles_nor_loads_it(tmp_path, monkeypatch):
    """It runs Python without installed packages."""
    (tmp_path / "a.txt").write_text(LEAK + "clean line\n" * 500_000)
    script = ROOT / "security" / "scanner" / "__main__.py"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-I", "-S", str(script), "scan", str(tmp_path / "a.txt")]
    assert (
        subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 1
    )
    assert not (tmp_path / "cache").exists()
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert cli.main(["accelerate"]) == 2
