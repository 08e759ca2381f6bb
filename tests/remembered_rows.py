"""Rows that builders write at the start of nearly every test, kept in memory and copied in again: a
service writes an API key with its limits in some fifty statements, COPY in one for each table."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import UserSettingsHolder, settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from keys.supply.queries import prices
from tests.tables import filled_tables, has_seeds

# Settings that builders do not read, or only to refuse.
_UNRELATED = re.compile(
    r"GATEWAY_|UPSTREAM_|SUB_TASK|(SANDBOX|SIMULATOR|OPENCLAW|PUBLIC)_URL$"
    r"|(PROVIDER|CHANNEL)_NETWORKS$|AUDIT_CHECKPOINTS$"
)
_PLACE = b"{address of the provider}"
# By builder, arguments and day: the rows of each table, as COPY writes them.
_remembered: dict[tuple[Any, ...], dict[str, bytes]] = {}


def remember_rows(build: Callable[..., None]) -> Callable[..., None]:
    """Make a builder faster that starts from an empty database and returns nothing: what its first
    call with these arguments writes is what later ones find. Where a test has changed settings or
    written the same rows, or has a database of its own, it is called as it is.
    """

    @wraps(build)
    def remembering(*args: Any, **options: Any) -> None:
        address = _address(options.get("base_url"))
        known = {**options, "base_url": None} if address else options
        key = (build, args, repr(sorted(known.items())), timezone.now().date(), bool(address))
        if not has_seeds() or _has_changed_settings():
            build(*args, **options)
        elif key in _remembered:
            _write_or_build(_remembered[key], address, lambda: build(*args, **options))
        else:
            empty = not filled_tables()
            build(*args, **options)
            if empty:
                _remembered[key] = _rows(address)

    return remembering


def _address(base_url: str | None) -> bytes:
    """Host and port of a provider of this test, which has another port in the next one."""
    return base_url.split("/")[2].encode() if base_url else b""


def _has_changed_settings() -> bool:
    """Whether a test has changed settings that builders may read."""
    names, holder = {"SETTINGS_MODULE"}, settings._wrapped
    while isinstance(holder, UserSettingsHolder):
        names |= {name for name in vars(holder) if name.isupper()}
        holder = holder.default_settings
    return any(not _UNRELATED.match(name) for name in names - {"SETTINGS_MODULE"})


def _rows(address: bytes) -> dict[str, bytes]:
    """The rows of all tables that have some."""
    with connection.cursor() as cursor:
        return {table: _copied(cursor, table, address) for table in filled_tables()}


def _copied(cursor: Any, table: str, address: bytes) -> bytes:
    with cursor.copy(f"COPY public.{table} TO STDOUT") as copy:
        rows = b"".join(copy)
    return rows.replace(address, _PLACE) if address else rows


def _write_or_build(rows: dict[str, bytes], address: bytes, build: Callable[[], None]) -> None:
    """Copy the rows in; where a test has written some of the same itself, the builder decides."""
    try:
        _write(rows, address)
    except IntegrityError:
        build()


def _write(rows: dict[str, bytes], address: bytes) -> None:
    # By number: to a test these prices are new.
    prices._remembered.clear()
    with transaction.atomic(), connection.cursor() as cursor:
        # What triggers and constraints do was done when the rows were written.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, lines in rows.items():
            with cursor.copy(f"COPY public.{table} FROM STDIN") as copy:
                copy.write(lines.replace(_PLACE, address))
        cursor.execute("SET LOCAL session_replication_role = origin")
