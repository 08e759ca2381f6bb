"""The ledger of money: transfers beside pgbench with the same SQL, and a quarter of bills."""

import io
import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TextIO
from uuid import uuid4

from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bench import closed_loop, pgbench, rows
from bench.closed_loop import Action
from keys.books.queries.provider_usage import provider_usage
from keys.models import Charge, Provider
from treasury import services as treasury
from treasury.models import Account, AccountKind, NormalSide, TransferKind
from treasury.services import Entry, ReportFile

# Each client has two accounts of its own: their ids begin here, so that they are found in SQL.
_DEBITS, _CREDITS, _CLIENTS_MAX = 910_000_000, 920_000_000, 1000
_CHARGES, _DAYS = 1_000_000, 90
_KEY = "bench-transfer"


def run(seconds: float, clients: list[int], out: TextIO) -> None:
    """Print how many transfers a second there are, and how long 90 days of bills take."""
    _open_accounts()
    print("\nledger of money; transfers per second (p50/p99 in ms)", file=out)  # noqa: T201
    print(f"{'clients':>8} {'transfer':>22} {'pgbench':>8} {'ratio':>6}", file=out)  # noqa: T201
    script = _script()
    for count in clients:
        ours = closed_loop.measure(_transfer, clients=count, seconds=seconds)
        limit = pgbench.run(script, count, seconds)
        print(  # noqa: T201
            f"{count:>8} {f'{ours.per_second:.0f} ({ours.p50_ms:.1f}/{ours.p99_ms:.1f})':>22} "
            f"{limit:>8.0f} {ours.per_second / limit:>6.0%}",
            file=out,
            flush=True,
        )
    _reconcile(out)


def _open_accounts() -> None:
    Account.objects.bulk_create(
        Account(
            id=first + number,
            name=f"{name}{number}",
            kind=kind,
            currency="USD",
            normal_side=NormalSide.DEBIT,
            may_overdraw=True,
            created_at=rows.now(),
        )
        for first, name, kind in (
            (_DEBITS, "bench_expense_", AccountKind.EXPENSE),
            (_CREDITS, "bench_credit_", AccountKind.CREDIT),
        )
        for number in range(_CLIENTS_MAX)
    )


def _transfer(number: int) -> Action:
    """One transfer between the two accounts of the caller."""
    names = itertools.count()
    own = uuid4().hex

    def act() -> int:
        _post(number, f"{own}-{next(names)}")
        return 1

    return act


@transaction.atomic(durable=True)
def _post(number: int, key: str) -> None:
    entry = Entry(
        debit=f"bench_expense_{number}",
        credit=f"bench_credit_{number}",
        amount=rows.RATES.input,
        kind=TransferKind.CONSUMPTION,
        effective_on=rows.now().date(),
        idempotency_key=key,
    )
    treasury.transfer([entry], actor=rows.ACTOR, now=rows.now())


def _script() -> list[str]:
    """The statements of one transfer as they were sent, with values of its own for each client."""
    with CaptureQueriesContext(connection) as captured:
        _post(0, _KEY)
    values = [
        (rf"{_DEBITS}", rf"({_DEBITS} + :client_id)"),
        (rf"{_CREDITS}", rf"({_CREDITS} + :client_id)"),
        (r"'bench_(expense|credit)_0'", r"('bench_\1_' || :client_id)"),
        (rf"'{_KEY}'", r"('pgbench-' || :client_id || '-' || CAST(:r AS bigint))"),
        (r"'[0-9a-f-]{36}'::uuid", "gen_random_uuid()"),
        (r"'\d{4}-\d{2}-\d{2}[ T][^']*'::timestamptz", "now()"),
    ]
    script = [r"\set r random(1, 1000000000000)"]
    for query in captured.captured_queries:
        text = query["sql"]
        for pattern, value in values:
            text = re.sub(pattern, value, text)
        script.append(f"{text};")
    return script


def _reconcile(out: TextIO) -> None:
    """90 days of bills, by day, key and model, with a million charges behind them."""
    with transaction.atomic(), connection.cursor() as cursor:
        # `seed_charges` fills an empty database.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE keys_provider, keys_costcentre, treasury_account CASCADE")
        cursor.execute("TRUNCATE keys_charge, keys_usageslice CASCADE")
    call_command("seed_charges", charges=_CHARGES, days=_DAYS, stdout=io.StringIO())
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = until - timedelta(days=_DAYS)
    charges = Charge.objects.filter(settled_at__gte=since, settled_at__lt=until).count()
    took, lines = 0.0, 0
    for provider in Provider.objects.values_list("pk", flat=True):
        usage = provider_usage(provider, since=since, until=until)
        if not usage:
            continue
        bill = "".join(f"{row.day},{row.api_key},{row.model},{row.cost:f}\n" for row in usage)
        content = f"day,key,model,amount\n{bill}".encode()
        file = ReportFile(provider=provider, format="csv", content=content)
        started = time.monotonic()
        treasury.import_report(file, actor=rows.ACTOR, now=rows.now())
        found = treasury.reconcile(
            provider,
            since=since.date(),
            until=(until - timedelta(days=1)).date(),
            actor=rows.ACTOR,
            now=rows.now(),
        )
        took, lines = took + time.monotonic() - started, lines + len(usage)
        if found.run.found:
            raise SystemExit(f"{provider} has {found.run.found} differences, but bills are equal.")
    print(  # noqa: T201
        f"\n{charges:,} charges against {_DAYS} days of bills ({lines:,} lines): {took:.1f} s "
        "(goal: 30 s)",
        file=out,
        flush=True,
    )
