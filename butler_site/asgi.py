"""ASGI entry point, `uvicorn butler_site.asgi:application`: the gateway, and Django beside it.

`/v1/…` goes straight to the gateway, on the event loop, and so do the streams of live pages.
Everything else is Django's, in threads that keep their connections to the database.
"""

import gc
import os
import sys
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from common.request_body import Receive

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "butler_site.settings")
_django = get_wsgi_application()

from butler_site.clock_watch import clock_watched  # noqa: E402 - needs the apps
from butler_site.pages import Pages  # noqa: E402 - needs the apps
from butler_site.sub_path import without_prefix  # noqa: E402 - as the others
from dashboard.live.app import Live  # noqa: E402 - needs the apps
from gateway.app import Gateway  # noqa: E402 - needs the apps
from gateway.requests import Send  # noqa: E402 - needs the apps

_pages = Pages(_django)
_gateway = Gateway()
_live = Live(_django.get_response)


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Hand each request to the gateway, to the live pages or to Django."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    scope = without_prefix(scope, settings.FORCE_SCRIPT_NAME)
    if scope["type"] == "http" and _gateway.serves(scope):
        await _gateway(scope, receive, send)
    elif scope["type"] == "http" and _live.serves(scope):
        await _live(scope, receive, send)
    else:
        await _pages(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    async with _gateway.running(), _live.running(), clock_watched():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


# Imported modules stay in memory, so the garbage collector need not scan them again. This halves
# the time of a choice among 10,000 keys.
gc.freeze()
# Calls create no reference cycles, so the collector need not run after every 700 objects.
gc.set_threshold(20_000, 20, 50)
# A request queries the database some eight times. After each query, its thread would wait up to
# 5 ms (Python's default) for another thread that computes.
sys.setswitchinterval(0.0005)
