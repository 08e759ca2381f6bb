"""The ledger check: every invariant of the ledger, counted again from the transfers.

Each check is one query of the rows that break an invariant, in one snapshot.
"""

from django.apps import apps

from common.row_checks import Check, Finding, run_checks
from keys.books.queries.month_usage import COUNTED_FROM

# Each trigger of each table, under the name that it has in the database.
_TRIGGERS = tuple(
    sorted(
        trigger.get_pgid(model)
        for model in apps.get_app_config("treasury").get_models()
        for trigger in getattr(model._meta, "triggers", ())
    )
)
_CONSTRAINTS = (
    "account_is_not_overdrawn",
    "transfer_moves_something",
    "transfer_debit_in_its_currency",
    "transfer_credit_in_its_currency",
    "purchase_reserved_has_money_aside",
    "railaccount_is_switched_on_by_two_persons",
    "railevent_once_per_rail",
    "refund_is_of_one_payment",
    "refund_settled_is_in_the_ledger",
    "refund_is_approved_by_a_second_person",
    "payout_settled_is_in_the_ledger",
    "payout_is_approved_by_a_second_person",
)
_BALANCES = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


CHECKS = [
    Check(
        "1 balances",
        "each balance of an account = the sum of its transfers",
        f"""
        WITH change AS (
            SELECT t.debit_id, t.credit_id,
                   CASE WHEN t.phase IN ('single', 'post') THEN t.amount ELSE 0 END AS posted,
                   CASE WHEN t.phase = 'pending' AND e.id IS NULL
                        THEN t.amount ELSE 0 END AS pending
              FROM treasury_transfer t LEFT JOIN treasury_transfer e ON e.pending_of_id = t.id
        ),
        counted AS (
            SELECT account_id, sum(dp) AS debits_posted, sum(cp) AS credits_posted,
                   sum(dn) AS debits_pending, sum(cn) AS credits_pending
              FROM (
                SELECT debit_id AS account_id, posted AS dp, 0 AS cp, pending AS dn, 0 AS cn
                  FROM change
                UNION ALL SELECT credit_id, 0, posted, 0, pending FROM change
              ) AS each GROUP BY account_id
        )
        SELECT a.name AS account, {
            ", ".join(f"a.{name}, coalesce(c.{name}, 0) AS counted_{name}" for name in _BALANCES)
        }
          FROM treasury_account a LEFT JOIN counted c ON c.account_id = a.id
         WHERE {" OR ".join(f"a.{name} <> coalesce(c.{name}, 0)" for name in _BALANCES)}
        """,  # noqa: S608 - names of columns
    ),
    Check(
        "2 zero-per-currency",
        "in each currency, debits and credits are equal, posted and pending",
        """
        SELECT currency, sum(debits_posted - credits_posted) AS posted,
               sum(debits_pending - credits_pending) AS pending
          FROM treasury_account GROUP BY currency
        HAVING sum(debits_posted - credits_posted) <> 0
            OR sum(debits_pending - credits_pending) <> 0
        """,
    ),
    Check(
        "3 one-currency",
        "both accounts of a transfer are in its currency, and take its decimal places",
        """
        SELECT t.id AS transfer, t.currency, t.amount, d.name AS debit, c.name AS credit
          FROM treasury_transfer t
          JOIN treasury_account d ON d.id = t.debit_id JOIN treasury_account c ON c.id = t.credit_id
         WHERE d.currency <> t.currency OR c.currency <> t.currency
            OR t.amount <> round(t.amount, least(d.scale, c.scale))
        """,
    ),
    Check(
        "4 pending-ends-as-agreed",
        "what ends a pending transfer has its accounts and no more than its amount, in time",
        """
        SELECT e.id AS transfer, e.phase, e.amount, p.id AS pending, p.amount AS set_aside
          FROM treasury_transfer e LEFT JOIN treasury_transfer p ON p.id = e.pending_of_id
         WHERE e.phase IN ('post', 'void', 'expire')
           AND (p.phase IS DISTINCT FROM 'pending' OR p.debit_id <> e.debit_id
                OR p.credit_id <> e.credit_id OR e.amount > p.amount
                OR e.phase <> 'post' AND e.amount <> p.amount
                OR e.phase = 'post' AND e.created_at >= p.expires_at
                OR e.phase = 'expire' AND e.created_at < p.expires_at)
        """,
    ),
    Check(
        "5 not-overdrawn",
        "no more leaves an account than is on it, unless it may stand on either side",
        """
        SELECT name AS account, debits_posted, credits_posted, debits_pending, credits_pending
          FROM treasury_account
         WHERE NOT may_overdraw
           AND CASE normal_side WHEN 'debit' THEN credits_posted + credits_pending > debits_posted
                                ELSE debits_posted + debits_pending > credits_posted END
        """,
    ),
    Check(
        "6 closed-is-closed",
        "no transfer of a closed period was recorded after it was closed",
        """
        SELECT t.id AS transfer, t.effective_on, p.through
          FROM treasury_transfer t JOIN treasury_closedperiod p ON t.effective_on <= p.through
         WHERE t.created_at > p.closed_at
        """,
    ),
    Check(
        "7 kept-by-the-database",
        "the triggers and constraints of the ledger are on",
        f"""
        SELECT n.name FROM unnest(ARRAY[{_listed(_TRIGGERS)}]) AS n(name)
         WHERE NOT EXISTS (
            SELECT FROM pg_trigger t WHERE t.tgenabled <> 'D' AND t.tgname = n.name)
        UNION ALL
        SELECT n.name FROM unnest(ARRAY[{_listed(_CONSTRAINTS)}]) AS n(name)
         WHERE NOT EXISTS (
            SELECT FROM pg_constraint c WHERE c.conname = n.name AND c.convalidated)
        """,  # noqa: S608 - names from this file
    ),
    Check(
        "8 purchases-and-transfers",
        "a purchase under way has its amount set aside, one that was paid has it posted, and one "
        "that ended otherwise has given it back",
        """
        SELECT p.id AS purchase, p.status, p.amount, t.amount AS set_aside, e.phase AS ended_by
          FROM treasury_purchase p JOIN treasury_transfer t ON t.id = p.pending_id
          LEFT JOIN treasury_transfer e ON e.pending_of_id = t.id
         WHERE p.amount <> t.amount
            OR CASE WHEN p.status IN ('settled', 'credited')
                    THEN e.phase IS DISTINCT FROM 'post' OR e.amount <> p.amount
                    WHEN p.status IN ('refused', 'declined', 'cancelled')
                    THEN e.phase IS DISTINCT FROM 'void'
                    ELSE e.id IS NOT NULL END
        UNION ALL
        SELECT NULL, 'missing', NULL, t.amount, NULL FROM treasury_transfer t
         WHERE t.kind = 'purchase' AND t.phase = 'pending'
           AND NOT EXISTS (SELECT FROM treasury_purchase p WHERE p.pending_id = t.id)
        """,
    ),
    Check(
        "9 in-transit",
        "what is in transit to a provider = its purchases that are paid and not yet credit",
        """
        SELECT a.name AS account, a.debits_posted - a.credits_posted AS balance,
               coalesce(sum(p.amount), 0) AS purchases
          FROM treasury_account a
          JOIN treasury_payee y ON y.transit_account_id = a.id
          LEFT JOIN treasury_purchase p
            ON p.payee_id = y.slug AND p.status = 'settled' AND p.reversed_at IS NULL
         GROUP BY a.id
        HAVING a.debits_posted - a.credits_posted <> coalesce(sum(p.amount), 0)
        """,
    ),
    Check(
        "10 consumption",
        "the charges of a UTC day on an API key = the transfers that post them, once a day has "
        "ended and was posted, and while retention keeps its charges; what was corrected after the "
        "last posting waits for the next one",
        f"""
        WITH posted AS (
            SELECT c.api_key_id, c.day, r.posted_at, sum(c.amount) AS amount
              FROM treasury_consumption c
              JOIN treasury_consumptionrun r ON r.credit_account_id = c.credit_account_id
             WHERE c.day < (r.posted_at AT TIME ZONE 'UTC')::date
               AND c.day::timestamp AT TIME ZONE 'UTC' > {COUNTED_FROM}
             GROUP BY c.api_key_id, c.day, r.posted_at
        )
        SELECT p.api_key_id AS api_key, p.day, p.amount AS posted, u.cost AS charged
          FROM posted p CROSS JOIN LATERAL (
               SELECT coalesce(sum(cost), 0) AS cost,
                      coalesce(sum(cost) FILTER (
                          WHERE calls = 0 AND known_at > p.posted_at), 0) AS later
                 FROM keys_settled_usage
                WHERE api_key_id = p.api_key_id AND status = 'settled'
                  AND settled_at >= p.day::timestamp AT TIME ZONE 'UTC'
                  AND settled_at < (p.day + 1)::timestamp AT TIME ZONE 'UTC') u
         WHERE p.amount NOT IN (u.cost, u.cost - u.later)
        """,  # noqa: S608 - a constant
    ),
    Check(
        "11 consumption-and-transfers",
        "each consumption = its transfer, between the credit and the expense of its cost centre",
        """
        SELECT c.id AS consumption, c.amount, t.amount AS transferred
          FROM treasury_consumption c JOIN treasury_transfer t ON t.id = c.transfer_id
         WHERE t.amount <> abs(c.amount)
            OR c.credit_account_id <> CASE WHEN c.amount > 0 THEN t.credit_id ELSE t.debit_id END
        UNION ALL
        SELECT NULL, NULL, t.amount FROM treasury_transfer t
         WHERE t.kind = 'consumption' AND starts_with(t.idempotency_key, 'consumption ')
           AND NOT EXISTS (SELECT FROM treasury_consumption c WHERE c.transfer_id = t.id)
        """,
    ),
    Check(
        "12 reports",
        "each report of a provider has the bytes and as many lines as were imported",
        """
        SELECT r.id AS report, r.line_count, count(l.id) AS lines
          FROM treasury_providerreport r LEFT JOIN treasury_reportline l ON l.report_id = r.id
         GROUP BY r.id
        HAVING count(l.id) <> r.line_count OR sha256(r.content) <> r.digest
        """,
    ),
    Check(
        "13 adjustments",
        "a difference that was adjusted in the ledger has the transfer of its amount",
        """
        SELECT d.id AS difference, d.own, d.theirs, t.amount
          FROM treasury_transfer t FULL JOIN treasury_difference d ON d.transfer_id = t.id
         WHERE (d.transfer_id IS NOT NULL
                OR t.kind = 'adjustment' AND starts_with(t.idempotency_key, 'difference '))
           AND (d.id IS NULL OR d.status <> 'adjusted'
                OR abs(t.amount - abs(d.theirs - d.own)) > 0.000000001)
        """,
    ),
    Check(
        "14 expiring-credit",
        "credit that has ended is used up or posted as expired, and none is more than it was",
        """
        SELECT a.name AS account, a.debits_posted - a.credits_posted AS balance, e.amount
          FROM treasury_expiringcredit e JOIN treasury_account a ON a.id = e.account_id
         WHERE a.debits_posted - a.credits_posted > e.amount
            OR e.ended_at IS NOT NULL AND a.debits_posted <> a.credits_posted
        """,
    ),
    Check(
        "15 receipts",
        "each receipt of a purchase has the bytes that were added",
        """
        SELECT id AS receipt, purchase_id AS purchase, size, octet_length(content) AS bytes
          FROM treasury_purchasereceipt
         WHERE sha256(content) <> digest OR octet_length(content) <> size
        """,
    ),
    Check(
        "16 reloads",
        "what a provider has reloaded by itself was seen, and was not sent by Butler",
        """
        SELECT p.id AS purchase, p.status, count(e.id) AS sightings
          FROM treasury_purchase p JOIN treasury_payee y ON y.slug = p.payee_id
          LEFT JOIN treasury_reloadevidence e ON e.purchase_id = p.id
         GROUP BY p.id, y.method
        HAVING (y.method = 'vendor') <> (count(e.id) > 0)
            OR y.method <> 'rail' AND p.body <> ''
        """,
    ),
    Check(
        "17 rail-statements",
        "each statement of a rail has the bytes and lines that were imported, and they make up its "
        "balances",
        """
        SELECT s.id AS statement, s.opening, s.closing, s.line_count, l.lines, l.amount
          FROM treasury_railstatement s CROSS JOIN LATERAL (
               SELECT count(*) AS lines, coalesce(sum(amount), 0) AS amount
                 FROM treasury_railstatementline WHERE statement_id = s.id) l
         WHERE l.lines <> s.line_count OR s.opening + l.amount <> s.closing
            OR sha256(s.content) <> s.digest
        """,
    ),
    Check(
        "18 matched-lines",
        "what a line of a statement is matched with makes up its amount",
        """
        SELECT l.id AS line, l.amount,
               sum(CASE WHEN t.debit_id = s.account_id THEN t.amount ELSE -t.amount END) AS matched
          FROM treasury_railmatch m
          JOIN treasury_railstatementline l ON l.id = m.line_id
          JOIN treasury_railstatement s ON s.id = l.statement_id
          JOIN treasury_transfer t ON t.id = m.transfer_id
         GROUP BY l.id
        HAVING l.amount
               <> sum(CASE WHEN t.debit_id = s.account_id THEN t.amount ELSE -t.amount END)
        """,
    ),
    Check(
        "19 refunds",
        "a refund under way has set aside what leaves the rail, one that was made is posted and "
        "names what it reverses, and no more went back than was paid",
        """
        SELECT r.id AS refund, r.status, r.amount, t.amount AS booked, e.phase AS ended_by
          FROM treasury_refund r
          LEFT JOIN treasury_transfer t ON t.id = r.transfer_id
          LEFT JOIN treasury_transfer p ON p.id = r.pending_id
          LEFT JOIN treasury_transfer e ON e.pending_of_id = p.id
          LEFT JOIN treasury_transfer b ON b.id = r.returned_id
         WHERE p.amount <> r.amount OR t.amount <> r.amount OR b.amount <> r.amount
            OR t.corrects_id IS NULL AND t.id IS NOT NULL
            OR b.corrects_id IS DISTINCT FROM t.id AND b.id IS NOT NULL
            OR p.id IS NOT NULL AND CASE
                    WHEN r.transfer_id IS NOT NULL THEN e.id IS DISTINCT FROM r.transfer_id
                    WHEN r.ended_at IS NOT NULL THEN e.phase IS DISTINCT FROM 'void'
                    ELSE e.id IS NOT NULL END
        UNION ALL
        SELECT NULL, 'too much', c.gone, c.paid, NULL
          FROM (
            SELECT sum(r.amount) AS gone, coalesce(max(t.amount), max(p.amount)) AS paid
              FROM treasury_refund r
              LEFT JOIN treasury_collection l ON l.id = r.collection_id
              LEFT JOIN treasury_transfer t ON t.id = l.transfer_id
              LEFT JOIN treasury_purchase p ON p.id = r.purchase_id
             WHERE r.status NOT IN ('refused', 'declined', 'expired', 'cancelled')
             GROUP BY r.collection_id, r.purchase_id
          ) c WHERE c.gone > c.paid
        UNION ALL
        SELECT NULL, 'missing', NULL, t.amount, t.phase FROM treasury_transfer t
         WHERE starts_with(t.idempotency_key, 'refund ')
           AND NOT EXISTS (SELECT FROM treasury_refund r
                            WHERE t.id IN (r.pending_id, r.transfer_id))
        """,
    ),
    Check(
        "20 payouts",
        "a payout under way has set aside what leaves the rail, one that was made is posted, and "
        "one that came to nothing is not",
        """
        SELECT o.id AS payout, o.status, o.amount, t.amount AS booked, e.phase AS ended_by
          FROM treasury_payout o
          LEFT JOIN treasury_transfer t ON t.id = o.transfer_id
          LEFT JOIN treasury_transfer p ON p.id = o.pending_id
          LEFT JOIN treasury_transfer e ON e.pending_of_id = p.id
          LEFT JOIN treasury_transfer b ON b.id = o.returned_id
         WHERE p.amount <> o.amount OR t.amount <> o.amount OR b.amount <> o.amount
            OR b.corrects_id IS DISTINCT FROM t.id AND b.id IS NOT NULL
            OR CASE WHEN o.status IN ('sending', 'unknown', 'accepted', 'needs_person')
                    THEN p.id IS NULL OR e.id IS NOT NULL
                    WHEN t.id IS NOT NULL THEN e.phase IS DISTINCT FROM 'post' OR e.id <> t.id
                    ELSE p.id IS NOT NULL AND e.phase IS DISTINCT FROM 'void' END
         UNION ALL
        SELECT NULL, 'missing', NULL, t.amount, t.phase FROM treasury_transfer t
         WHERE starts_with(t.idempotency_key, 'payout ')
           AND NOT EXISTS (SELECT FROM treasury_payout o
                            WHERE t.id IN (o.pending_id, o.transfer_id))
        """,
    ),
    Check(
        "21 exchanged-purchases",
        "what a rail of another currency pays for a purchase is set aside and ends as the purchase "
        "does, by the rate that both name",
        """
        SELECT p.id AS purchase, p.status, r.amount AS by_rail, e.phase, f.phase AS phase_by_rail
          FROM treasury_purchase p
          JOIN treasury_payee y ON y.slug = p.payee_id
          JOIN treasury_account a ON a.id = y.rail_account_id AND a.currency <> p.currency
          JOIN treasury_transfer t ON t.id = p.pending_id
          LEFT JOIN treasury_transfer e ON e.pending_of_id = t.id
          LEFT JOIN treasury_transfer r ON r.journal = t.journal AND r.phase = 'pending'
                                       AND r.credit_id = a.id
          LEFT JOIN treasury_transfer f ON f.pending_of_id = r.id
         WHERE r.id IS NULL OR e.phase IS DISTINCT FROM f.phase OR f.amount <> r.amount
            OR t.rate_id IS NULL OR r.rate_id IS NULL
        """,
    ),
]


def ledger_check() -> list[Finding]:
    """Run every check; returns a finding for each, with `count` 0 where the invariant holds."""
    return run_checks(CHECKS)
