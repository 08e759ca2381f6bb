"""The URL of the page that is shown, with other query parameters."""

from collections.abc import Iterable, Mapping

from django.http import HttpRequest


def changed_url(
    request: HttpRequest, changes: Mapping[str, str], *, without: Iterable[str] = ()
) -> str:
    """The query with `changes` and `without` some parameters.

    Each table starts from its first row, unless the changes say otherwise.
    """
    query = request.GET.copy()
    for name in [each for each in query if each in without or each.endswith("after")]:
        del query[name]
    for name, value in changes.items():
        query[name] = value
    return f"?{query.urlencode()}"
