"""Addresses as clients see them, where a proxy may serve Butler below a path of its host.

`BUTLER_PUBLIC_URL` may have such a path (`https://host/butler`). Django puts it before the paths of
requests; here it is put before those that are made outside of one.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import get_script_prefix, reverse


def path_of(url_name: str, args: Sequence[Any] = ()) -> str:
    """`reverse`, with the path of the proxy in each thread."""
    path = reverse(url_name, args=args)
    # Only threads that have served a request know the prefix.
    return path if get_script_prefix() != "/" else f"{settings.FORCE_SCRIPT_NAME or ''}{path}"


def absolute(path: str) -> str:
    """The URL of a path that begins with that of the proxy, as `path_of` and `links` give it."""
    public = urlsplit(settings.PUBLIC_URL)
    return f"{public.scheme}://{public.netloc}{path}"
