"""Files without a secret: real code of installed packages, lock files, notebooks, logs."""

import base64
import json
import random
import sysconfig
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.scanner.vendors import fill

_PACKAGES = Path(sysconfig.get_paths()["purelib"])
_ROOT = Path(__file__).resolve().parents[2]
_CODE_FILES, _MINIFIED_FILES, _BYTES_MAX = 140, 8, 60_000
_MADE_ROWS = 12


def clean_files(source: random.Random) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each."""
    yield from _installed("*.py", _CODE_FILES, source)
    yield from _installed("*.js", _MINIFIED_FILES, source)
    yield from _installed("*.css", 3, source)
    for lock in sorted(_ROOT.glob("tests/*/package-lock.json")):
        yield f"clean/{lock.parent.name}/package-lock.json", lock.read_bytes()
    for name, lines in _MADE.items():
        rows = [line for number in range(_MADE_ROWS) for line in lines(source, number)]
        yield f"clean/made/{name}", "\n".join([*rows, ""]).encode()
    yield "clean/made/plot.ipynb", _notebook(source)


def _installed(pattern: str, count: int, source: random.Random) -> Iterator[tuple[str, bytes]]:
    suited = sorted(path for path in _PACKAGES.rglob(pattern) if path.stat().st_size > 0)
    small = [path for path in suited if pattern == "*.js" or path.stat().st_size < _BYTES_MAX]
    for path in source.sample(small, min(count, len(small))):
        yield f"clean/{path.relative_to(_PACKAGES)}", path.read_bytes()


def _uuid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def _digest(source: random.Random, size: int = 32) -> str:
    return source.randbytes(size).hex()


def _integrity(source: random.Random) -> str:
    return base64.b64encode(source.randbytes(64)).decode()


_MADE: dict[str, Callable[[random.Random, int], list[str]]] = {
    "poetry.lock": lambda source, number: [
        "[[package]]", f'name = "part{number}"', f'version = "1.{number}.0"', "files = [",
        f'    {{file = "part{number}-py3-none-any.whl", hash = "sha256:{_digest(source)}"}},', "]",
    ],
    "requirements.txt": lambda source, number: [
        f"part{number}==1.{number} \\", f"    --hash=sha256:{_digest(source)}",
    ],
    "yarn.lock": lambda source, number: [
        f"part{number}@^1.0.0:",
        f'  resolved "https://registry.yarnpkg.com/p/-/p-{number}.tgz#{_digest(source, 20)}"',
        f"  integrity sha512-{_integrity(source)}",
    ],
    "go.sum": lambda source, number: [
        f"example.org/part{number} v1.{number}.0 h1:{base64.b64encode(source.randbytes(32)).decode()}",
    ],
    "access.log": lambda source, number: [
        f'10.0.0.{number} - - [01/Mar/2026] "GET /items/{_uuid(source)} HTTP/1.1" 200 ETag="{_digest(source, 16)}"',
        f"2026-03-01T10:00:{number:02} INFO request_id={_uuid(source)} trace_id={_digest(source, 16)} span={_digest(source, 8)}",
        f"2026-03-01T10:00:{number:02} INFO commit {_digest(source, 20)} deployed image app@sha256:{_digest(source)}",
        f"2026-03-01T10:00:{number:02} DEBUG Idempotency-Key: {_uuid(source)} x-amz-request-id: {fill('{u:16}', source)}",
        f"2026-03-01T10:00:{number:02} DEBUG Authorization: Bearer ****{fill('{n:4}', source)} session token accepted for user-{number}",
    ],
    "example.env": lambda source, number: [
        f"API_KEY_{number}=your-api-key-here", f"SECRET_KEY_{number}=${{VAULT_SECRET_{number}}}",
        f"DB_PASSWORD_{number}=changeme", f"STRIPE_PUBLISHABLE_KEY_{number}=pk_live_{fill('{n:24}', source)}",
        f"GITHUB_TOKEN_{number}=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", f"TOKEN_TTL_{number}=3600",
        f"CACHE_KEY_{number}=user:{_uuid(source)}", "OPENAI_API_KEY=sk-...",
        "DATABASE_URL=postgres://user:password@localhost:5432/app", f"CLIENT_ID_{number}={_uuid(source)}",
    ],
    "views.py": lambda source, number: [
        f'token = request.headers.get("X-Token-{number}")', f'password = os.environ["PASSWORD_{number}"]',
        f"api_key = settings.API_KEY_{number}", f'assert digest == "{_digest(source)}"',
        f'secret = get_secret("projects/app/secrets/db-{number}")', f'ETAG_{number} = \'W/"{_digest(source, 16)}"\'',
        f'idempotency_key = "{_uuid(source)}"', f'public_key = "{fill("{b:43}", source)}="',
        f'token_url = "https://id.corp/oauth2/v{number}/token"', 'password = getpass("Password: ")',
        f'dependencies = [("app", "{number:04}_auto_20260301_1000")]', f'primary_key = "order_{number}_id"',
    ],
    "values.yaml": lambda source, number: [
        f"apiKey{number}: {{{{ .Values.apiKey }}}}", f"secretName: app-secret-{number}",
        f"checksum/config: {_digest(source)}", "passwordSecretRef:", f"  key: password-{number}",
        f"image: registry.corp/app@sha256:{_digest(source)}", f"token: !vault token-{number}",
    ],
}  # fmt: skip


def _notebook(source: random.Random) -> bytes:
    cells = [
        {
            "cell_type": "code",
            "execution_count": number,
            "id": _digest(source, 4),
            "metadata": {"colab": {"base_uri": "https://localhost:8080/"}},
            "source": ["import pandas as pd\n", f"frame = pd.read_csv('{number}.csv')\n", "frame"],
            "outputs": [
                {"data": {"image/png": base64.b64encode(source.randbytes(3_000)).decode()}},
                {"data": {"text/plain": [f"<Axes: {_uuid(source)}>"]}},
            ],
        }
        for number in range(60)
    ]
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()
