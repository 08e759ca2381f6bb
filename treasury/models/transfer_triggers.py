"""What the database itself does with each transfer, whoever writes it.

A row that is pending never changes, so a trigger can compare the row that ends it with it.
"""

import pgtrigger

# Whoever writes transfers holds it shared, who closes a period alone: so no transfer of a period
# is under way when it closes.
LEDGER_LOCK = 0x6275746C_65720002

CHECK_TRANSFER = pgtrigger.Trigger(
    name="transfer_follows_the_rules",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("closed", "date"), ("places", "int"), ("pending", "treasury_transfer")],
    func=f"""
        PERFORM pg_advisory_xact_lock_shared({LEDGER_LOCK});
        SELECT max(through) INTO closed FROM treasury_closedperiod;
        IF NEW.effective_on <= closed THEN
            RAISE check_violation USING CONSTRAINT = 'transfer_is_in_an_open_period',
                MESSAGE = format(
                    'transfer_is_in_an_open_period: it is closed through %s', closed);
        END IF;
        SELECT min(scale) INTO places FROM treasury_account
         WHERE id IN (NEW.debit_id, NEW.credit_id);
        IF NEW.amount <> round(NEW.amount, places) THEN
            RAISE check_violation USING CONSTRAINT = 'transfer_fits_the_scales',
                MESSAGE = format(
                    'transfer_fits_the_scales: %s has more than %s places', NEW.amount, places);
        END IF;
        IF NEW.pending_of_id IS NOT NULL THEN
            SELECT * INTO pending FROM treasury_transfer WHERE id = NEW.pending_of_id;
            IF pending.phase <> 'pending' OR pending.debit_id <> NEW.debit_id
               OR pending.credit_id <> NEW.credit_id OR pending.amount < NEW.amount
               OR NEW.phase <> 'post' AND pending.amount <> NEW.amount
               OR (NEW.phase = 'expire') <> (NEW.created_at >= pending.expires_at)
                  AND NEW.phase <> 'void' THEN
                RAISE check_violation USING CONSTRAINT = 'transfer_ends_what_is_pending',
                    MESSAGE = format(
                        'transfer_ends_what_is_pending: transfer %s cannot end so', pending.id);
            END IF;
        END IF;
        RETURN NEW;
    """,  # noqa: S608 - a constant
)

# One statement may write many transfers: each account is changed once.
CHANGE_BALANCES = pgtrigger.Trigger(
    name="transfer_changes_balances",
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    level=pgtrigger.Statement,
    # pgtrigger has no types for it.
    referencing=pgtrigger.Referencing(new="new_transfers"),  # type: ignore[no-untyped-call]
    func="""
        WITH change AS (
            SELECT t.debit_id, t.credit_id,
                   CASE WHEN t.phase IN ('single', 'post') THEN t.amount ELSE 0 END AS posted,
                   CASE t.phase WHEN 'single' THEN 0 WHEN 'pending' THEN t.amount
                                ELSE -p.amount END AS pending
              FROM new_transfers t LEFT JOIN treasury_transfer p ON p.id = t.pending_of_id
        ),
        moves AS (
            SELECT account_id, sum(debits_posted) AS debits_posted,
                   sum(credits_posted) AS credits_posted, sum(debits_pending) AS debits_pending,
                   sum(credits_pending) AS credits_pending
              FROM (
                SELECT debit_id AS account_id, posted AS debits_posted, 0 AS credits_posted,
                       pending AS debits_pending, 0 AS credits_pending FROM change
                UNION ALL
                SELECT credit_id, 0, posted, 0, pending FROM change
              ) AS each
             GROUP BY account_id
        )
        UPDATE treasury_account a
           SET debits_posted = a.debits_posted + m.debits_posted,
               credits_posted = a.credits_posted + m.credits_posted,
               debits_pending = a.debits_pending + m.debits_pending,
               credits_pending = a.credits_pending + m.credits_pending
          FROM moves m WHERE a.id = m.account_id;
        RETURN NULL;
    """,
)

REFUSE_TRUNCATE = pgtrigger.Trigger(
    name="transfer_is_not_truncated",
    when=pgtrigger.Before,
    operation=pgtrigger.Truncate,
    level=pgtrigger.Statement,
    func="RAISE EXCEPTION 'transfers are only inserted';",
)
