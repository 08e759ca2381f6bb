"""Accounts and transfers of the ledger of money, written without its triggers, which are slower."""

from datetime import UTC, datetime

from django.db import connection, transaction

from security.actor import Actor
from treasury import services as treasury
from treasury.models import AccountKind
from treasury.services import AccountTerms

_CENTRES = 50
_ACTOR = Actor.job("bench")
_FILL = """
    INSERT INTO treasury_transfer (journal, debit_id, credit_id, currency, amount, kind, phase,
        effective_on, reference, idempotency_key, recorded_by, created_at)
    SELECT gen_random_uuid(), (%(debits)s::bigint[])[1 + n %% cardinality(%(debits)s::bigint[])],
           %(credit)s, 'USD', 1 + n %% 97 / 100.0, 'consumption', 'single',
           current_date - n %% 365, (current_date - n %% 365) || ' key-0 org', 'bench-' || n,
           'bench', now() - n * interval '1 second'
      FROM generate_series(1, %(count)s) AS n
"""
_BALANCES = """
    UPDATE treasury_account a SET debits_posted = s.debits, credits_posted = s.credits
      FROM (SELECT account_id, sum(debit) AS debits, sum(credit) AS credits
              FROM (SELECT debit_id AS account_id, amount AS debit, 0 AS credit
                      FROM treasury_transfer
                    UNION ALL SELECT credit_id, 0, amount FROM treasury_transfer) AS sides
             GROUP BY account_id) AS s
     WHERE a.id = s.account_id
"""


@transaction.atomic
def fill(count: int) -> None:
    """Write so many transfers from one credit to the expenses of cost centres."""
    now = datetime.now(UTC)
    names = [f"expense:bench-{number}" for number in range(_CENTRES)]
    debits = [_open(name, AccountKind.EXPENSE, now) for name in names]
    credit = _open("credit:bench", AccountKind.CREDIT, now)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_FILL, {"debits": debits, "credit": credit, "count": count})
        cursor.execute(_BALANCES)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        cursor.execute("ANALYZE treasury_transfer")


def _open(name: str, kind: AccountKind, now: datetime) -> int:
    terms = AccountTerms(name=name, kind=kind, currency="USD")
    return treasury.open_account(terms, actor=_ACTOR, now=now)[0].pk
