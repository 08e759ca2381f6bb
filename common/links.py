"""One table of links: what leads to a page names the page's kind, never its URL.

Each app registers its pages in its module `links`, which is imported when Django starts. So a
page can move (from the admin to the dashboard, say) and only its line of the table changes, and
an app can lead to pages of apps above it without knowing them.

    links.url("key", "nvidia-1")                     the page of one row
    links.url("charges", api_key="nvidia-1")         a list, filtered
    links.url_of_subject("key:nvidia-1")             the page of an audit entry's subject

In templates: `{% load links %}`, then `{% url_of "key" slug %}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Model
from django.urls import NoReverseMatch

from common.public_urls import path_of


@dataclass(frozen=True)
class Page:
    """A page: the name of its URL pattern, and the query parameter behind each of its filters."""

    url_name: str
    filters: Mapping[str, str] = field(default_factory=dict)

    def url(self, *key: object, **filters: object) -> str:
        """The path of the page, for the row `key` or filtered by the filters it names."""
        query = {self.filters[name]: value for name, value in filters.items()}
        path = path_of(self.url_name, key)
        return f"{path}?{urlencode(query)}" if query else path


@dataclass(frozen=True)
class FilteredPage:
    """A row that has no page of its own: its key is the filter `by` of the list `kind`."""

    kind: str
    by: str

    def url(self, key: object) -> str:
        """The path of the list that shows the row `key`."""
        return url(self.kind, **{self.by: key})


_PAGES: dict[str, Page | FilteredPage] = {}


def register(pages: Mapping[str, Page | FilteredPage]) -> None:
    """Add the pages of one app to the table; a kind has one page."""
    if duplicates := _PAGES.keys() & pages.keys():
        raise ValueError(f"These kinds of page are registered already: {sorted(duplicates)}.")
    _PAGES.update(pages)


def kinds() -> list[str]:
    """The kinds in the table, sorted."""
    return sorted(_PAGES)


def kind_of(model: type[Model]) -> str:
    """The kind of page that shows a row of `model` in the admin; a LookupError if there is none."""
    url_name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    for kind, line in _PAGES.items():
        if isinstance(line, Page) and line.url_name == url_name:
            return kind
    raise LookupError(f"No page of a row of {model.__name__} is registered.")


def page(kind: str) -> Page | FilteredPage:
    """The line of the table; a KeyError for a kind that no app registered."""
    return _PAGES[kind]


def url(kind: str, *key: object, **filters: object) -> str:
    """The path of a page; a KeyError for a kind or a filter that is not in the table."""
    return page(kind).url(*key, **filters)


def url_of_subject(subject: str) -> str | None:
    """The path of what `key:nvidia-1` or `agent:ada` names; None if its kind has no page, or if
    the page is that of a number and the subject has a name."""
    kind, _, key = subject.partition(":")
    try:
        return url(kind, key) if key and kind in _PAGES else None
    except NoReverseMatch:
        return None
