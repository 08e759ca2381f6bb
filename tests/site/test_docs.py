"""What the pages for readers name exists: files, folders, links, headings, names of the code,
commands and make targets. A page that names what was renamed fails here."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands

from tests.site.layers import HEIGHT

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Not part of a checkout: made at run time, or files of other programs.
_ELSEWHERE = ("var/", "~/", ".venv/")
# Files of other programs that Butler reads or writes, and names that CONTRIBUTING advises against.
_FOREIGN = {
    "token-manager-state.json",
    "api-keys.json",
    "openclaw.json",
    "opencode.json",
    "moving.py",
    "utils.py",
}
_FILE = re.compile(r"\.(py|md|json|toml|txt|html|js|css|yaml|example)$")
_PATH = re.compile(r"[\w.*<>-]+(/[\w.*<>-]+)*/?")


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request):
    """Each page in turn."""
    return request.param


def prose(page):
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def in_backticks(page):
    """What stands in backticks, without the blocks of code."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def is_path(text):
    """Whether a text in backticks is meant as a file or folder of the checkout."""
    if not _PATH.fullmatch(text) or "<" in text or text.startswith(_ELSEWHERE):
        return False
    folder = "/" in text and (ROOT / text.partition("/")[0]).is_dir()
    return bool(folder or text.endswith("/") or _FILE.search(text))


def exists(path, page):
    """Whether a path stands for something: from the root, beside the page, or as the name of a
    file somewhere in the checkout."""
    found = any(any(base.glob(path)) for base in (ROOT, page.parent))
    return found or ("/" not in path and path in names_of_files())


def names_of_files():
    """The name of every file that belongs to the checkout."""
    outside = {".venv", "var", "node_modules", ".git"}
    folders = [
        folder for folder in ROOT.iterdir() if folder.is_dir() and folder.name not in outside
    ]
    return {file.name for folder in folders for file in folder.rglob("*.*")}


def test_every_file_and_folder_that_a_page_names_exists(page):
    paths = [text for text in in_backticks(page) if is_path(text) and text not in _FOREIGN]
    assert [path for path in paths if not exists(path, page)] == []


def test_every_link_of_a_page_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not leads_somewhere(target, page)] == []


def leads_somewhere(target, page):
    """Whether a relative link resolves, and its heading exists."""
    path, _, heading = target.partition("#")
    file = (page.parent / path) if path else page
    return file.exists() and (not heading or heading in headings(file))


def headings(file):
    """The anchors that the headings of a page get."""
    titles = re.findall(r"^#+ (.+)$", prose(file), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_name_of_the_code_that_a_page_gives_exists(page):
    names = [text for text in in_backticks(page) if re.fullmatch(r"[a-z_]+(\.\w+)+", text)]
    ours = [name for name in names if name.partition(".")[0] in HEIGHT and not _FILE.search(name)]
    assert [name for name in ours if not is_known(name)] == []


def is_known(name):
    """A module or what is in one, a service (`keys.hold_many`), or a permission."""
    app, _, rest = name.partition(".")
    return resolves(name) or resolves(f"{app}.services.{rest}") or name in permissions()


def resolves(name):
    """Whether a dotted name is a module, or leads to something inside one."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return name in HEIGHT
    try:
        import_module(name)
    except ImportError:
        try:
            return hasattr(import_module(module), attribute)
        except ImportError:
            return False
    return True


def permissions():
    """The permissions of all models, as `gateway.view_exchange`."""
    return {
        f"{meta.app_label}.{name}"
        for meta in (model._meta for model in apps.get_models())
        for name in [
            *(f"{action}_{meta.model_name}" for action in meta.default_permissions),
            *(name for name, _ in meta.permissions),
        ]
    }


def test_every_command_that_a_page_names_exists(page):
    named = re.findall(r"\bmanage\.py ([a-z_]+)", page.read_text(encoding="utf-8"))
    assert set(named) - set(get_commands()) - {"help"} == set()


def test_every_make_target_that_a_page_names_exists(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    code = re.findall(
        r"(?:`|^    (?:\w+=\S+ |.*&& )?)make ([a-z-]+)", page.read_text("utf-8"), re.M
    )
    assert set(code) - set(targets) == set()


@pytest.mark.parametrize("text", ["keys/nowhere.py", "nowhere/", "keys/nothing", "no_such_file.py"])
def test_a_path_that_does_not_exist_is_found(text):
    assert is_path(text)
    assert not exists(text, ROOT / "README.md")


@pytest.mark.parametrize("text", ["/healthz", "gpt-5/x", "var/sign-in", "a b/", "x < y", "keys"])
def test_a_text_that_is_no_path_is_left_alone(text):
    assert not is_path(text)


@pytest.mark.parametrize("name", ["keys.nothing", "keys.services.nothing", "gateway.eat_exchange"])
def test_a_name_that_does_not_exist_is_found(name):
    assert not is_known(name)


@pytest.mark.parametrize(
    "name", ["keys.hold_many", "gateway.view_exchange", "security.audit.record", "common.admin"]
)
def test_a_name_that_exists_is_known(name):
    assert is_known(name)


def test_a_link_to_nowhere_is_found():
    page = ROOT / "README.md"
    assert not leads_somewhere("docs/nowhere.md", page)
    assert not leads_somewhere("docs/api.md#no-such-heading", page)
    assert leads_somewhere("docs/api.md#tokens", page)
