"""Where people see what an address such as `centre:research` names."""

from common import links

# The page of the budget, where there is one.
_PAGES = {"centre": "budget", "agent": "agent_budget"}


def scope_url(scope: str) -> str | None:
    """The page of what `key:…`, `agent:…` or `centre:…` names; None if its kind has no page."""
    kind, _, key = scope.partition(":")
    return links.url(_PAGES[kind], key) if kind in _PAGES and key else links.url_of_subject(scope)
