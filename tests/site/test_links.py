"""The table of links: every page in it opens, and nothing leads to a page by its URL pattern."""

import re
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.urls import NoReverseMatch, resolve

from common import links

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted(file.parent for file in ROOT.glob("*/apps.py"))
LISTS = [kind for kind in links.kinds() if kind.endswith("s") and kind != "model_alias"]
# What a filter of each kind of value is given; text for all others.
NUMBERS = {"allocation", "charge", "price", "limit", "task", "sub_task"}
OTHERS = {"settled_from": "2026-01-01T00:00:00+00:00", "unresolved": True}


def value_of(name):
    """Something to filter by."""
    return OTHERS.get(name, 1 if name in NUMBERS else "x")


def test_a_kind_that_no_app_registered_fails():
    with pytest.raises(KeyError):
        links.url("unicorn", 1)


def test_a_filter_that_is_not_in_the_table_fails():
    with pytest.raises(KeyError):
        links.url("charges", colour="green")


def test_a_kind_is_registered_once():
    with pytest.raises(ValueError, match="key"):
        links.register({"key": links.Page("admin:index")})


def test_a_subject_leads_to_its_page():
    assert links.url_of_subject("key:nvidia-1") == links.url("key", "nvidia-1")
    assert links.url_of_subject("session:ses-1") == links.url("allocations", session="ses-1")
    assert links.url_of_subject("centre:research/ml") == links.url("centre", "research/ml")
    assert links.url_of_subject("unicorn:1") is None
    assert links.url_of_subject("") is None
    # Rows of the audit and approvals name some accounts by name: the demo fleet's does.
    for subject in ("purchase_policy:credit:anthropic", "account:credit:anthropic", "task:x"):
        assert links.url_of_subject(subject) is None, subject


@pytest.mark.parametrize("kind", [kind for kind in links.kinds() if kind not in LISTS])
def test_the_page_of_a_row_exists(kind):
    paths = (path for parts in ((), (1,), (1, 1)) if (path := path_of(kind, *parts)))
    assert resolve(next(paths).partition("?")[0])


def path_of(kind, *parts):
    """The path of a page; None if its address has another number of parts."""
    try:
        return links.url(kind, *parts)
    except (NoReverseMatch, TypeError):
        return None


@pytest.mark.django_db
@pytest.mark.parametrize("kind", LISTS)
def test_a_list_opens_with_each_of_its_filters(client, kind):
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    page = links.page(kind)
    for filters in ({}, *({name: value_of(name)} for name in page.filters)):
        answer = client.get(links.url(kind, **filters))
        assert answer.status_code == 200, filters
        assert "e=1" not in answer.request["QUERY_STRING"]


def offenders(pattern, files):
    """Lines of the files that match."""
    return [
        f"{file.relative_to(ROOT)}:{number}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(pattern, line)
    ]


def test_no_template_names_a_url_pattern():
    templates = [*(ROOT / "templates").rglob("*.html"), *ROOT.glob("*/templates/**/*.html")]
    assert templates
    assert offenders(r"admin:|dashboard:|\{%-? *url ", templates) == []


def test_no_module_but_the_links_of_an_app_names_a_page_of_the_admin():
    files = [file for app in APPS for file in app.rglob("*.py") if file.name != "links.py"]
    found = offenders(r"""["']admin:""", files)
    assert [line for line in found if not line.startswith("butler_site/settings.py")] == []
