"""What the engine reads besides the plain form of a secret, and what it passes over."""

import base64
import io
import random

import pytest

from security.scanner import engine, texts
from security.scanner.rules import BY_ID
from tests.security.scanner.bodies import body, private_key, random_text
from tests.security.scanner.hostile import assert_linear

KEY = body(BY_ID["nvidia-key"])
SOURCE = random.Random(7)  # noqa: S311
PASSWORD = "Gk3!xPq9zL"
HEX = random_text(SOURCE, 64, "0123456789abcdef")
TOKEN = random_text(SOURCE, 32)


def found(text, path="notes.txt"):
    return [(finding.rule, finding.line) for finding in engine.scan_text(text, path)]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (".env.example", f"DB_PASSWORD={PASSWORD}"),
        ("a.py", f'password: str = "{PASSWORD}"'),
        ("a.py", f'client_secret = "{TOKEN}"'),
        ("a.py", f'connect("db", ("password", "{PASSWORD}"))'),
        ("a.java", f'settings.setPassword("{PASSWORD}");'),
        ("a.js", f"const o = {{clientSecret: '{TOKEN}'}}"),
        ("a.json", f'{{"client_secret": "{TOKEN}"}}'),
        ("a.yaml", f"  apiKey: {TOKEN}"),
        ("a.yaml", f'  - {{name: API_TOKEN, value: "{TOKEN}"}}'),
        ("a.properties", f"spring.datasource.password={PASSWORD}"),
        ("a.xml", f"<password>{PASSWORD}</password>"),
        ("a.rb", f"password => '{PASSWORD}'"),
        ("a.go", f'apiKey := "{TOKEN}"'),
        ("run.sh", f"deploy --token {TOKEN} --now"),
        ("run.sh", f"deploy --db-password {PASSWORD} --now"),
        ("a.py", f'key = os.getenv("API_KEY", "{TOKEN}")'),
        ("a.py", f'api_key: SecretStr = Field(default="{TOKEN}")'),
        ("a.py", f"# api_key={TOKEN}"),
        ("a.py", f'session.auth = ("ada", "{PASSWORD}")'),
        ("a.ts", f"const key = process.env.API_KEY ?? '{TOKEN}';"),
        ("a.rs", f'const API_KEY: &str = "{TOKEN}";'),
        ("a.h", f'#define API_KEY "{TOKEN}"'),
        ("a.java", f'@Value("${{api_key:{TOKEN}}}")'),
        ("a.md", f"| API_KEY | `{TOKEN}` |"),
        ("a.md", f"The API key is `{TOKEN}`."),
        ("a.sql", f"CREATE USER ada IDENTIFIED BY '{PASSWORD}';"),
        ("a.json", f'{{"name": "API_TOKEN", "value": "{TOKEN}"}}'),
        ("a.env", f"USER_PASSWORD={PASSWORD}"),
        ("Dockerfile", f"ENV API_TOKEN {TOKEN}"),
        ("run.log", f"Authorization: Bearer {TOKEN}"),
        ("a.ipynb", f'"client_secret = \\"{TOKEN}\\"\\n",'),
    ],
)
def test_a_value_is_a_secret_by_its_name(path, line):
    assert found(f"first\n{line}\nlast\n", path) == [("generic-secret", 2)]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", f'token_url = "{TOKEN}"'),
        ("a.py", f'cache_key = "{TOKEN}"'),
        ("a.py", f'public_key = "{TOKEN}"'),
        ("a.py", f'idempotency_key = "{TOKEN}"'),
        ("a.py", f'csrf_token = "{TOKEN}"'),
        ("a.py", 'password = os.environ["DB_PASSWORD_1"]'),
        ("a.py", "password = Settings.password_of_user1"),
        ("a.py", 'password = "correct horse battery staple"'),
        ("a.py", 'secret = "the-name-of-a-secret-1"'),
        ("a.py", 'PASSWORD_FIELD = "Gk3!xPq9zL"'),
        ("a.py", 'password_user = "Gk3!xPq9zL"'),
        ("a.py", 'RATES = {"reset_password": "20/m/ip"}'),
        ("a.py", 'token_class = ("secret", "PBKDF2WithHMAC-SHA512-224AndAES192-GCM")'),
        ("a.txt", "If you pass `api_style=Mode2.FAST` then"),
        ("a.md", "readFile('/etc/passwd', constants.R_OK1)"),
        ("a.txt", "apprise://AppId:AppSecret@Host/room"),
        (".env", "PASSWORD=${DB_PASSWORD1}"),
        (".env", "PASSWORD={{ db.Password1 }}"),
        (".env", "API_KEY=your-api-key-0123"),
        (".env", "API_KEY=xxxxxxxxxxxxxxxx1234"),
        (".env", "API_KEY=1234567890abcdef1234567890abcdef"),
        (".env", "SECRET_TOKEN=00000000-0000-4000-8000-0123456789ab"),
        ("a.txt", f"sha256: {HEX}"),
        ("a.txt", f'ETag: "{HEX[:32]}"'),
        ("a.txt", f"commit {HEX[:40]}"),
        ("a.js", f'const stripe = "pk_live_{TOKEN}"'),
        ("a.txt", "postgres://user:password@localhost/db"),
        ("a.txt", "postgres://user:${PASSWORD}@db/name"),
        ("a.txt", "https://example.com:8000/path@2"),
        ("package-lock.json", f'"integrity": "sha512-{TOKEN}", "token": "{TOKEN}"'),
        ("app.min.js", f'token="{TOKEN}"'),
        ("a.js", "a=1;" * 2_000 + f'token="{TOKEN}"'),
        ("a.txt", "AKIAIOSFODNN7EXAMPLE"),
        ("a.txt", "hf_transfer_is_the_name_of_a_package_1"),
    ],
)
def test_what_only_resembles_a_secret_is_passed_over(path, line):
    assert found(f"first\n{line}\nlast\n", path) == []


@pytest.mark.parametrize(
    "text",
    [
        'variable "api_key" {{\n  default = "{}"\n}}\n',
        "api_keys:\n  - {}\n",
        'API_KEYS = [\n    "{}",\n]\n',
        "api_key: >-\n  {}\n",
        "<key>apiKey</key>\n<string>{}</string>\n",
        '{{"name": "API_KEY",\n "value": "{}"}}\n',
    ],
)
def test_a_value_may_stand_below_its_name(text):
    assert found(text.format(TOKEN)) == [("generic-secret", 2)]


def test_each_value_of_a_list_is_found():
    other = random_text(SOURCE, 32)
    assert found(f"tokens:\n  - {TOKEN}\n  - {other}\n") == [
        ("generic-secret", 2),
        ("generic-secret", 3),
    ]


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(f"key={KEY}".encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
        f"https://host/?q=%22{KEY}%22",
        KEY.replace("-", "%2D"),
        f"\\u0022{KEY}\\u0022",
        f"\\x22{KEY}",
    ],
)
def test_an_encoded_key_is_decoded_once(text):
    assert found(f"first\n{text}\n") == [("nvidia-key", 2)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n", "\\\\n", "\n    "])
def test_a_private_key_is_found_on_many_lines_and_on_one(newline):
    assert found("first\n" + private_key(SOURCE, newline)) == [("private-key", 2)]


def test_a_private_key_without_a_body_is_none():
    assert found("if text.startswith('-----BEGIN RSA PRIVATE " + "KEY-----'):\n    pass\n") == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_text_is_read_in_its_encoding(encoding):
    ((_, text),) = texts.windows(io.BytesIO(f"first\nkey {KEY}\n".encode(encoding)))
    assert found(text) == [("nvidia-key", 2)]


def test_a_binary_file_has_no_text():
    assert list(texts.windows(io.BytesIO(b"\x7fELF\0\0\1" + KEY.encode()))) == []


def test_a_large_file_is_read_in_windows_that_overlap(monkeypatch):
    monkeypatch.setattr(texts, "WINDOW_BYTES", 1_000)
    monkeypatch.setattr(texts, "OVERLAP_BYTES", 300)
    content = b"0123456 890 \n" * 74 + KEY.encode() + b"\n" + b"abc\n" * 500
    pieces = list(texts.windows(io.BytesIO(content)))
    assert len(pieces) > 3
    assert [rule for _, piece in pieces for rule, _ in found(piece)] == ["nvidia-key"]


def test_a_comment_with_a_reason_allows_one_rule_on_one_line():
    allowed = f"key = {KEY}  # butler:allow nvidia-key canary of a test\n"
    assert found(allowed) == []
    assert found(f"# butler:allow nvidia-key canary of a test\nkey = {KEY}\n") == []
    assert found(allowed.replace("canary of a test", "")) == [("nvidia-key", 1)]
    assert found(allowed.replace("nvidia-key", "jwt")) == [("nvidia-key", 1)]


HOSTILE = [
    *("key=", "token: ", 'secret="', "password('", "api_key=[", "auth, ", "secret |", "pass    "),
    *(
        "token=aB3dE5gH7jK9 ",
        "key: a",
        "password\n",
        "name: token, value: ",
        "secret = f(",
        "pwd={ ",
    ),
    *(
        "://",
        "://a:b@",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN",
        "eyJhbGciOiJ9.",
        "\\u0041",
        "%41",
    ),
    *("A" * 30 + "/", "aB3+", "butler:allow a ", "Q~", " ", "\n", '"', "\\", "(", "é", "\0"),
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("path", ["notes.txt", "a.py"])
def test_a_text_of_one_piece_takes_work_in_proportion_to_its_length(piece, path):
    assert_linear(piece, path=path)


def test_an_excerpt_has_only_the_beginning_that_all_secrets_of_a_kind_share():
    (finding,) = engine.scan_text(f"ä = {KEY}", "a.txt")
    assert finding.excerpt == f"nvapi-… ({len(KEY)} characters)"
    assert (finding.column, finding.end_column) == (5, 5 + len(KEY))
    (password,) = engine.scan_text(f"DB_PASSWORD={PASSWORD}", "a.env")
    assert password.excerpt == "… (10 characters)"
