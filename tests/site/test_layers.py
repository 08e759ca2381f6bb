"""The order of the apps holds, and what checks it would notice if not."""

from pathlib import Path

import pytest

from tests.site.layers import HEIGHT, open_modules, violations

ROOT = Path(__file__).resolve().parents[2]


def test_no_app_imports_from_above_or_from_another_ones_inside():
    assert violations(ROOT) == []


def test_every_app_of_the_checkout_has_a_place():
    apps = {file.parent.name for file in ROOT.glob("*/apps.py")}
    assert apps <= set(HEIGHT)


def test_the_vault_is_open():
    assert {"vault", "fields", "tokens"} <= open_modules("security", ROOT)


_OPEN = "Open: `fields`. Folders: `books`. Open to SQL: `keys_usage`."


@pytest.fixture
def planted(tmp_path):
    """`planted("keys/a/b.py", "import api")`: the violations of a house with this one line."""

    def plant(file, line):
        for app in HEIGHT:
            (tmp_path / app).mkdir()
            (tmp_path / app / "__init__.py").write_text(f'"""{_OPEN}"""\n')
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_text(f"def work():\n    {line}\n")
        return violations(tmp_path)

    return plant


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("keys/books/services/allocate.py", "from api import urls", "api is not below keys"),
        ("keys/models.py", "import dashboard.views", "dashboard is not below keys"),
        ("common/env.py", "from keys import models", "keys is not below common"),
        ("api/views.py", "from dashboard import queries", "dashboard is not below api"),
        (
            "api/views.py",
            "from keys.books.selection import best_key",
            "selection of keys is private",
        ),
        ("api/views.py", "from keys import selection", "selection of keys is private"),
        ("api/views.py", "import keys", "all of keys is private"),
        ("api/views.py", "from keys.services import _commit", "_commit is private"),
    ],
)
def test_a_planted_import_is_found(planted, file, line, reason):
    assert planted(file, line) == [planted_sentence(file, line, reason)]


@pytest.mark.parametrize(
    ("line", "table"),
    [
        ("return 'SELECT id FROM keys_allocation'", "keys_allocation"),
        ("return 'SELECT 1 FROM a LEFT JOIN keys_window w ON true'", "keys_window"),
        ("return 'UPDATE  keys_charge SET id = 1'", "keys_charge"),
        ("return 'insert into alerts_alert (id) VALUES (1)'", "alerts_alert"),
        ("return f'SELECT {line} FROM keys_agent'", "keys_agent"),
    ],
)
def test_a_planted_statement_on_the_table_of_another_app_is_found(planted, line, table):
    owner = table.partition("_")[0]
    assert planted("orchestration/sql/claim.py", line) == [
        f"orchestration/sql/claim.py:2 reads {table}: the table is private to {owner}"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "return 'SELECT id FROM orchestration_task'",
        "return 'SELECT used FROM keys_usage'",
        "return 'SELECT id FROM pg_class'",
        "return reverse('admin:keys_allocation_change')",
    ],
)
def test_an_honest_statement_is_not(planted, line):
    assert planted("orchestration/sql/claim.py", line) == []


def planted_sentence(file, line, reason):
    """What `violations` says of the one line planted."""
    words = line.replace(",", "").split()
    module = words[1] if words[0] == "import" else f"{words[1]}.{words[3]}"
    return f"{file}:2 imports {module}: {reason}"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("api/views.py", "from keys import services as keys, queries"),
        ("api/views.py", "from keys.models import ApiKey"),
        ("api/views.py", "from keys.books.queries.charges import charges"),
        ("alerts/models.py", "from security.fields import SealedField"),
        ("alerts/models.py", "from common.refusal import Refusal"),
        ("alerts/models.py", "from alerts.deep import anything"),
        ("alerts/deep/er.py", "from ..jobs import deliver"),
        ("butler_site/urls.py", "from api import urls, v1"),
    ],
)
def test_an_honest_import_is_not(planted, file, line):
    assert planted(file, line) == []
