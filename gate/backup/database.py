"""PostgreSQL's own dump of Butler's database, as a stream, and back.

The programs come with the embedded PostgreSQL (18), also where DATABASE_URL names another server:
`pg_dump` reads every older one.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, cast

from django.db import connection, transaction

from common.embedded_postgres.binaries import programs
from gate.refusals import BackupFailed

_PART = 64 * 1024


@contextmanager
def snapshot() -> Iterator[str]:
    """The name of a snapshot of the database, which `dump` and all queries in here see."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def dump(snapshot_name: str) -> Iterator[bytes]:
    """The parts of a dump of the snapshot. Refusals: BackupFailed, after the last part."""
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot_name}"]
    with TemporaryFile() as errors:
        process = _start("pg_dump", *options, errors=errors)
        with process, cast(IO[bytes], process.stdout) as output:
            while part := output.read(_PART):
                yield part
        _check("pg_dump", process, errors)


def load(parts: Iterable[bytes]) -> None:
    """Restore a dump in one transaction. Refusals: BackupFailed; then nothing is restored."""
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    with TemporaryFile() as errors:
        process = _start("pg_restore", *options, errors=errors)
        with process, cast(IO[bytes], process.stdin) as target:
            try:
                for part in parts:
                    target.write(part)
                target.close()
            except BrokenPipeError:
                pass  # It has failed; why stands in its errors.
            except BaseException:
                process.kill()
                raise
        _check("pg_restore", process, errors)


def table_counts() -> dict[str, int]:
    """The number of rows of each table."""
    with connection.cursor() as cursor:
        counts = {}
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            counts[table] = cursor.fetchone()[0]
        return counts


def is_empty() -> bool:
    """Whether the database has no table."""
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def _start(program: str, *options: str, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    connection.ensure_connection()
    info = connection.connection.info
    # The password is in no list of processes: `dsn` has none.
    return subprocess.Popen(  # noqa: S603
        [programs() / program, *options, "--dbname", info.dsn],
        stdin=subprocess.PIPE if program == "pg_restore" else subprocess.DEVNULL,
        stdout=subprocess.PIPE if program == "pg_dump" else subprocess.DEVNULL,
        stderr=errors,
        env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": info.password},
    )


def _check(program: str, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    if process.returncode:
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
        raise BackupFailed(program=program, reason=said[-1] if said else "it was killed")
