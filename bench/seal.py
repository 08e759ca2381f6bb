"""`python -m bench.seal`: what the audit chain costs writers, its lag, and how fast it is verified.

Writers are pgbench with the statements that hold and settle, in turns without the triggers that
queue rows and with them and a running sealer. The lag is from the moment a row is written until
another connection sees it sealed.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bench import fresh

_ROWS_PER_SECOND = 1_000
_FILL = (
    """
WITH filled AS (
INSERT INTO keys_charge (allocation_id, api_key_id, price_id, model, idempotency_key, status, basis,
    held_tokens, held_cost, input_tokens, cached_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, tokens, cost, overrun, created_at, expires_at, settled_at)
SELECT id, api_key_id, price_id, 'model', 'fill-' || n, 'settled', 'provider', 200, 0.003, 80, 0,
       0, 20, 0, 100, 0.00054, false, now(), now(), now()
  FROM (SELECT * FROM keys_allocation LIMIT 1) AS allocation, generate_series(1, %s) AS n
RETURNING id)
INSERT INTO security_unsealedrow (source, row_id) SELECT 'charge', id FROM filled
""",
    """
WITH filled AS (
INSERT INTO security_auditentry (at, actor_name, actor_kind, address, request_id, action, subjects,
    before, after, reason)
SELECT now(), 'bench', 'job', '', 'req-' || n, 'limit.set', ARRAY['key:key-1', 'agent:ada'],
       '{"amount": "100.000000000"}', jsonb_build_object('amount', n), 'bench'
  FROM generate_series(1, %s) AS n
RETURNING id)
INSERT INTO security_unsealedrow (source, row_id) SELECT 'audit_entry', id FROM filled
""",
)
_ENTRY = (
    "INSERT INTO security_auditentry (at, actor_name, actor_kind, address, request_id, action,"
    " subjects, reason) VALUES (clock_timestamp(), 'bench', 'job', '', '', 'limit.set',"
    " ARRAY['vault'], '');"
)


def main() -> None:
    """Parse the options, create a database, run the three parts."""
    parser = argparse.ArgumentParser(prog="python -m bench.seal", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=6, help="how often writers run each way")
    parser.add_argument("--clients", type=int, default=8, help="how many writers at once")
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many rows are verified")
    asked = parser.parse_args()
    fresh.database()
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench import rows  # noqa: PLC0415

    rows.make()
    _writers(clients=asked.clients, seconds=asked.seconds, turns=asked.turns)
    _lag(seconds=4 * asked.seconds)
    _verification(asked.rows)


def _writers(*, clients: int, seconds: float, turns: int) -> None:
    from bench import pgbench  # noqa: PLC0415

    pairs = []
    with _sealer() as sealer:
        for turn in range(turns):
            rates = {}
            # Now one first, now the other: neither gets the smaller tables.
            for is_sealed in (False, True) if turn % 2 else (True, False):
                _triggers("ENABLE" if is_sealed else "DISABLE")
                sealer.send_signal(signal.SIGCONT if is_sealed else signal.SIGSTOP)
                rates[is_sealed] = pgbench.hold_and_settle(clients, seconds)
            pairs.append((rates[False], rates[True]))
        sealer.send_signal(signal.SIGCONT)
        _triggers("ENABLE")
    ratio = statistics.median(sealed / plain for plain, sealed in pairs)
    plain, both = (statistics.median(each) for each in zip(*pairs, strict=True))
    _say(f"Writers, {clients} at once: {plain:,.0f} calls/s unsealed, {both:,.0f} sealed")
    _say(f"  ratio {ratio:.0%}, median of {turns} turns (goal: at least 90%)")


def _lag(*, seconds: float) -> None:
    from bench import pgbench  # noqa: PLC0415

    lags: list[float] = []
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(lags, done), daemon=True)
    with _sealer():
        watch.start()
        pgbench.run([_ENTRY], 4, seconds, rate=_ROWS_PER_SECOND)
        time.sleep(2)
        done.set()
        watch.join()
    lags.sort()
    p50, p99 = (lags[int(len(lags) * share)] for share in (0.5, 0.99))
    _say(f"Lag at {len(lags) / seconds:,.0f} rows/s: p50 {p50:.2f} s, p99 {p99:.2f} s (goal: 1 s)")


def _watch(lags: list[float], done: threading.Event) -> None:
    """Look for new seals every few milliseconds; how old their rows are then."""
    from security.models import AuditEntry, Seal  # noqa: PLC0415

    last = Seal.objects.first()
    number = last.number if last else 0
    while not done.wait(0.01):
        new = list(Seal.objects.filter(number__gt=number, source="audit_entry"))
        seen = datetime.now(UTC)
        for seal in new:
            number = max(number, seal.number)
            written = AuditEntry.objects.filter(pk__in=seal.rows).values_list("at", flat=True)
            lags.extend((seen - at).total_seconds() for at in written)


def _verification(rows: int) -> None:
    from django.db import connection  # noqa: PLC0415

    from security.audit_chain.verify import verify  # noqa: PLC0415

    with connection.cursor() as cursor:
        # Without triggers, of which those of foreign keys take longest; then as the migrations do.
        cursor.execute("SET session_replication_role = replica")
        for statement in _FILL:
            cursor.execute(statement, [rows // 2])
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM ANALYZE")
    started = time.monotonic()
    sealed = seal_all()
    _say(f"Sealed {sealed:,} rows that waited: {sealed / (time.monotonic() - started):,.0f} rows/s")
    started, computed = time.monotonic(), time.process_time()
    verification = verify(now=datetime.now(UTC))
    seconds, computed = time.monotonic() - started, time.process_time() - computed
    _say(
        f"Verified {verification.rows:,} rows in {seconds:.0f} s, of which this process computed "
        f"{computed:.0f} s (goal: 1,000,000 rows in 60 s)"
    )
    _say(f"  {verification.wrong} findings: the calls of the turns without triggers")


def seal_all() -> int:
    """Seal in this process what waits; returns how many rows."""
    from security.services import seal_rows  # noqa: PLC0415

    rows = 0
    while sealed := seal_rows(now=datetime.now(UTC)):
        rows += sealed
    return rows


def _triggers(verb: str) -> None:
    """Disable or enable the triggers that queue settled charges."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE tgrelid = 'keys_charge'::regclass AND prosrc LIKE '%%security_unsealedrow%%'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE keys_charge {verb} TRIGGER "{name}"')


@contextmanager
def _sealer() -> Iterator[subprocess.Popen[bytes]]:
    """The sealer as a process, on the same database."""
    from bench import rows  # noqa: PLC0415
    from butler_site.management.commands.up import environ  # noqa: PLC0415
    from security.models import UnsealedRow  # noqa: PLC0415

    command = [sys.executable, "manage.py", "seal_audit"]
    process = subprocess.Popen(command, env=environ())  # noqa: S603
    rows.lend("agent-0")  # Which is audited.
    try:
        while UnsealedRow.objects.exists():  # Until the sealer has started.
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
