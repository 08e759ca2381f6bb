"""The theme of pages: kept in a cookie, so that the server renders it."""

from django.http import HttpRequest

COOKIE = "butler_theme"
SYSTEM = "system"
# In the order in which the switch offers them, each with its icon.
THEMES = {SYSTEM: "monitor", "light": "sun", "dark": "moon"}


def theme_of(request: HttpRequest) -> str:
    """The theme that the person chose in this browser; `system` until then."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in THEMES else SYSTEM


def theme_after(theme: str) -> str:
    """The theme that the switch offers next."""
    names = list(THEMES)
    return names[(names.index(theme) + 1) % len(names)]
