"""Every address of the site, from the URL configuration, and what each person gets there."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, resolve

TABLE = tomllib.loads(Path(__file__).with_name("addresses.toml").read_text(encoding="utf-8"))


def routes(
    resolver: URLResolver | None = None, before: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """Each route of the site with its pattern: `admin/keys/agent/<path:object_id>/change/`."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield route, pattern


def is_api(route: str) -> bool:
    """Whether programs call it: agents with a token, vendors of rails with a signature."""
    return route.startswith(("api/", "webhooks/"))


def pages() -> list[str]:
    """The routes that people open in a browser."""
    return sorted({route for route, _ in routes() if not is_api(route)})


def path_of(route: str) -> str:
    """A path that the route serves: of a row that exists, if its model has one."""
    row = _row(route) if "object_id>" in route or "<id>" in route else None
    path = re.sub(r"<(path:)?(object_id|id)>", quote(str(row or 1), safe=""), route)
    path = re.sub(r"\(\?P<\w+>([^)]*)\)\$?", lambda each: each[1].split("|")[0], path)
    return "/" + re.sub(r"<(\w+:)?\w+>", "1", path).lstrip("^")


def _row(route: str) -> object:
    app, name = route.split("/")[1:3]
    for model in admin.site._registry:
        if (model._meta.app_label, model._meta.model_name) == (app, name):
            return model.objects.values_list("pk", flat=True).first()
    return None


def outcome(user: Any, method: str, path: str) -> str:
    """`yes`, `no` (403), `sign in`, or the status that is answered instead.

    Calls the view itself, which returns a page that is not rendered yet.
    """
    request = RequestFactory().generic(method, path)
    request.user, request.session = user, SessionBase()
    request._messages = CookieStorage(request)
    request._dont_enforce_csrf_checks = True
    view, args, kwargs = resolve(path)
    try:
        answer = view(request, *args, **kwargs)
    except PermissionDenied:
        return "no"
    except Http404:
        return "404"
    if answer.status_code == 302 and answer["Location"].startswith("/admin/login/"):
        return "sign in"
    return "yes" if answer.status_code < 400 else str(answer.status_code)
