"""Pages of the dashboard that are measured, and how long they take."""

import http.client
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date
from html import unescape
from typing import IO, NamedTuple
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, URLPattern, reverse
from django.utils import timezone

from alerts.models import Alert
from bench import ledger_rows, server
from dashboard.urls import app_name, urlpatterns
from keys.models import Agent, ApiKey, BooksCheck, Charge, CostCentre
from orchestration.models import SubTask, Task
from reports.models import MonthClose
from security.models import Approval
from treasury.models import Account, Transfer

_P95_MS, _QUERIES_MAX, _FIRST_BYTE_MS = 300, 20, 300
_FILE_TIMES = 3
# A file with all charges has gigabytes; what counts is when it begins.
_FILE_BYTES_MAX = 4 * 1024**2
# Beside a page as it opens, by the name of its URL.
_QUERIES: dict[str, tuple[str, ...]] = {
    "search": ("?q=seed", "?q=openai"),
    "spend": ("?range=90d&by=agent", "?range=year&by=model", "?range=today&by=label"),
    "charges": ("?range=year", "?range=28d&sort=-cost"),
}
# Files that do not open without a query: a function of today makes it.
_FILES: dict[str, Callable[[date], str]] = {"focus": lambda today: f"?month={today:%Y-%m}"}
# These answer without an end.
_STREAMS = {"live"}
# The row that a detail page shows, the newest: by the name of its URL, or of a parameter.
_ROWS: dict[str, tuple[type[Model], str]] = {
    "account": (Account, "pk"),
    "agent": (Agent, "pk"),
    "agent-budget": (Agent, "pk"),
    "alert": (Alert, "pk"),
    "approval": (Approval, "pk"),
    "books-check": (BooksCheck, "pk"),
    "budget": (CostCentre, "pk"),
    "charge_id": (Charge, "pk"),
    "key": (ApiKey, "pk"),
    "month-close": (MonthClose, "slug"),
    "person": (get_user_model(), "pk"),
    "sub-task": (SubTask, "pk"),
    "task": (Task, "pk"),
}
_FRAGMENT = re.compile(r'hx-get="([^"]+)"')
_FILE = re.compile(r'href="([^"]*format=csv[^"]*)"')
_Opened = tuple[int, bytes, float, float]


class Taken(NamedTuple):
    """How long one address took: milliseconds, bytes of its body, number of queries."""

    address: str
    p50: float
    p95: float
    first_byte: float
    size: int
    queries: int

    @property
    def is_file(self) -> bool:
        """Whether it is a CSV file, of which the first byte counts."""
        return _is_file(self.address)

    @property
    def is_good(self) -> bool:
        """Whether it meets the goals. A file makes its queries as it is read, so the longer it is
        the more."""
        if self.is_file:
            return self.first_byte < _FIRST_BYTE_MS
        return self.p95 < _P95_MS and self.queries <= _QUERIES_MAX

    def __str__(self) -> str:
        first = f"{self.first_byte:10,.0f}" if self.is_file else " " * 10
        return (
            f"{self.p50:8,.0f} {self.p95:8,.0f} {first} {self.queries:8} {self.size / 1024:9,.1f} "
            f" {'ok  ' if self.is_good else 'MISS'}  {self.address}"
        )


def _is_file(address: str) -> bool:
    return "format=csv" in address or address.startswith("/reports/focus?")


def fill(charges: int, transfers: int) -> None:
    """Migrate the database, and write charges and transfers if it has none."""
    call_command("migrate", verbosity=0)
    if not Charge.objects.exists():
        call_command("seed_charges", charges=charges)
    if not Transfer.objects.exists():
        ledger_rows.fill(transfers)


def run(*, times: int, out: IO[str]) -> None:
    """Open every page `times` times; print a line for each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        (size,) = cursor.fetchone()
    out.write(f"{Charge.objects.count():,} charges, database of {size}.\n\n")
    out.write("  p50 ms   p95 ms first byte  queries       KiB        address\n")
    out.write(f"goals:   < {_P95_MS:5}    < {_FIRST_BYTE_MS:5}     ≤ {_QUERIES_MAX:2}\n")
    client = _signed_in()
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    missed = 0
    with server.running() as web, closing(_connect(web.port)) as http_connection:
        # The name has the port of the process.
        name = settings.SESSION_COOKIE_NAME.replace(str(settings.PORT), str(web.port))
        cookie = f"{name}={session}"
        for address in _addresses(http_connection, cookie):
            taken = _take(address, http_connection, cookie, client, times=times)
            missed += not taken.is_good
            out.write(f"{taken}\n")
            out.flush()
    out.write(f"\n{missed} missed a goal.\n" if missed else "\nAll goals are met.\n")


def _signed_in() -> Client:
    users = get_user_model().objects
    person = users.filter(username="bench").first() or users.create_superuser("bench")
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(person)
    return client


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)


def _addresses(web: http.client.HTTPConnection, cookie: str) -> Iterator[str]:
    """Every page of the dashboard, with the fragments and files that it links to."""
    seen: set[str] = set()
    for page in _pages():
        web.close()
        status, body, *_ = _open(page, web, cookie)
        if status in (http.client.METHOD_NOT_ALLOWED, http.client.FOUND):
            # It takes what a form sends, or leads to the page that it is part of.
            continue
        if status != http.client.OK:
            raise SystemExit(f"{page} answers {status}.")
        text = body.decode("utf-8", "replace")
        parts = [unescape(link) for pattern in (_FRAGMENT, _FILE) for link in pattern.findall(text)]
        for address in [page, *(urljoin(page, part) for part in parts)]:
            # Fields of a form add their values to the address of a fragment.
            if address not in seen and address.startswith("/"):
                seen.add(address)
                yield address


def _pages() -> Iterator[str]:
    for pattern in urlpatterns:
        if pattern.name in _STREAMS:
            continue
        try:
            path = reverse(f"{app_name}:{pattern.name}", kwargs=_parameters(pattern))
        except NoReverseMatch:
            continue
        query = _FILES.get(str(pattern.name))
        yield path + (query(timezone.now().date()) if query else "")
        yield from (path + more for more in _QUERIES.get(str(pattern.name), ()))


def _parameters(pattern: URLPattern) -> dict[str, object]:
    """The row for each parameter of a URL; those that _ROWS does not know, or has no row of, are
    left out, so that the page is."""
    names = pattern.pattern.converters
    rows = {name: _newest(name if name in _ROWS else str(pattern.name)) for name in names}
    return {name: value for name, value in rows.items() if value is not None}


def _newest(name: str) -> object | None:
    if name not in _ROWS:
        return None
    model, field = _ROWS[name]
    row = model._default_manager.order_by("-pk").first()
    return row and getattr(row, field)


def _take(
    address: str, web: http.client.HTTPConnection, cookie: str, client: Client, *, times: int
) -> Taken:
    if not _is_file(address):
        # Colours of names are read once in a process.
        client.get(address)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
        # A streamed file makes its queries while it is read.
        size = _size(response) if response.streaming else len(response.content)
        response.close()
    # It opens again by itself: the server has closed it if that took long.
    web.close()
    times = min(times, _FILE_TIMES) if _is_file(address) else times
    opened = [_open(address, web, cookie) for _ in range(times)]
    whole = statistics.quantiles([each[3] for each in opened], n=20, method="inclusive")
    return Taken(
        address=address,
        p50=whole[9],
        p95=whole[18],
        first_byte=statistics.quantiles([each[2] for each in opened], n=20, method="inclusive")[18],
        size=size,
        queries=len(queries),
    )


def _size(parts: Iterable[bytes]) -> int:
    size = 0
    for part in parts:
        size += len(part)
        if size > _FILE_BYTES_MAX:
            break
    return size


def _open(address: str, web: http.client.HTTPConnection, cookie: str) -> _Opened:
    """The status and the body of an address, or the beginning of a large one, with the milliseconds
    until its first byte and until the last that was read."""
    began = time.perf_counter()
    web.request("GET", address, headers={"Cookie": cookie})
    response = web.getresponse()
    first = response.read(1)
    first_at = time.perf_counter()
    body = first + response.read(_FILE_BYTES_MAX)
    ended = time.perf_counter()
    if not response.isclosed():
        web.close()
    return response.status, body, (first_at - began) * 1000, (ended - began) * 1000
