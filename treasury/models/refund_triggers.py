"""What the database refuses of refunds beside what it refuses of every payment."""

from decimal import Decimal

import pgtrigger

from treasury.models.payments import ENDED

# Refunds of one collection above this need a second person, in its currency, all of them together.
# Those of a purchase need one above the amount that its policy names.
COLLECTION_APPROVAL_ABOVE = Decimal(10)
_ENDED = ", ".join(f"'{status}'" for status in ENDED)

CHECK_REFUND = pgtrigger.Trigger(
    name="refund_is_within_what_was_paid",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    condition=pgtrigger.Condition(f"NEW.status NOT IN ({_ENDED})"),
    declare=[
        ("paid", "numeric"),
        ("reversed", "timestamptz"),
        ("above", "numeric"),
        ("given_back", "numeric"),
        ("alone", "numeric"),
    ],
    func=f"""
        -- Who refunds the same payment at this moment is waited for.
        IF NEW.collection_id IS NOT NULL THEN
            SELECT t.amount, c.reversed_at, {COLLECTION_APPROVAL_ABOVE}
              INTO paid, reversed, above
              FROM treasury_collection c LEFT JOIN treasury_transfer t ON t.id = c.transfer_id
             WHERE c.id = NEW.collection_id FOR NO KEY UPDATE OF c;
        ELSE
            SELECT CASE WHEN p.status = 'credited' THEN p.amount END, p.reversed_at,
                   y.approval_above
              INTO paid, reversed, above
              FROM treasury_purchase p
              JOIN treasury_purchasepolicy y ON y.credit_account_id = p.policy_id
             WHERE p.id = NEW.purchase_id FOR NO KEY UPDATE OF p;
        END IF;
        SELECT coalesce(sum(amount), 0),
               coalesce(sum(amount) FILTER (
                   WHERE source = 'asked' AND approved_persons = '{{}}'), 0)
          INTO given_back, alone
          FROM treasury_refund
         WHERE (collection_id = NEW.collection_id OR purchase_id = NEW.purchase_id)
           AND id <> NEW.id AND status NOT IN ({_ENDED});
        IF TG_OP = 'INSERT' AND (
               paid IS NULL OR reversed IS NOT NULL OR given_back + NEW.amount > paid) THEN
            RAISE check_violation USING CONSTRAINT = 'refund_is_within_what_was_paid',
                MESSAGE = format('refund_is_within_what_was_paid: %s is more than is left of %s',
                                 NEW.amount, coalesce(paid, 0) - given_back);
        END IF;
        IF NEW.status <> 'proposed' AND NEW.source = 'asked' AND NEW.approved_persons = '{{}}'
           AND alone + NEW.amount > above THEN
            RAISE check_violation USING CONSTRAINT = 'refund_is_approved',
                MESSAGE = format('refund_is_approved: %s needs a second person', NEW.amount);
        END IF;
        RETURN NEW;
    """,  # noqa: S608 - names from this file
)
