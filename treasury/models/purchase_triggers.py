"""What the database itself refuses of purchases."""

import pgtrigger

# What counts for the bounds of a policy, at its full amount: all that was or may have been paid.
COUNTED = ("reserved", "sending", "accepted", "unknown", "needs_person", "settled", "credited")

CHECK_BOUNDS = pgtrigger.Trigger(
    name="purchase_is_within_its_policy",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert | pgtrigger.Update,
    condition=pgtrigger.Condition("NEW.reserved_at IS NOT NULL"),
    declare=[
        ("policy", "treasury_purchasepolicy"),
        ("of_day", "numeric"),
        ("of_month", "numeric"),
    ],
    func=f"""
        IF TG_OP = 'UPDATE' AND OLD.reserved_at IS NOT NULL THEN
            RETURN NEW;
        END IF;
        -- What a provider has taken by itself is true, also beyond what was approved.
        IF EXISTS (SELECT FROM treasury_payee
                    WHERE slug = NEW.payee_id AND method = 'vendor') THEN
            RETURN NEW;
        END IF;
        SELECT * INTO policy FROM treasury_purchasepolicy
         WHERE credit_account_id = NEW.policy_id FOR NO KEY UPDATE;
        SELECT coalesce(sum(amount) FILTER (
                   WHERE (reserved_at AT TIME ZONE policy.zone)::date
                         = (NEW.reserved_at AT TIME ZONE policy.zone)::date), 0),
               coalesce(sum(amount) FILTER (
                   WHERE date_trunc('month', reserved_at AT TIME ZONE policy.zone)
                         = date_trunc('month', NEW.reserved_at AT TIME ZONE policy.zone)), 0)
          INTO of_day, of_month
          FROM treasury_purchase
         WHERE policy_id = NEW.policy_id AND id <> NEW.id AND reserved_at IS NOT NULL
           AND status IN ({", ".join(f"'{status}'" for status in COUNTED)});
        IF NEW.amount > policy.per_purchase_max OR of_day + NEW.amount > policy.daily_max
           OR of_month + NEW.amount > policy.monthly_max THEN
            RAISE check_violation USING CONSTRAINT = 'purchase_is_within_its_policy',
                MESSAGE = format('purchase_is_within_its_policy: %s is more than is left',
                                 NEW.amount);
        END IF;
        IF NEW.amount > policy.approval_above AND (
               cardinality(NEW.approved_persons) = 0
               OR NEW.approved_persons && NEW.asked_persons) THEN
            RAISE check_violation USING CONSTRAINT = 'purchase_is_approved',
                MESSAGE = format('purchase_is_approved: %s needs a second person', NEW.amount);
        END IF;
        RETURN NEW;
    """,  # noqa: S608 - names from this file
)

_TRANSITIONS = {
    "proposed": ("approved", "cancelled", "expired", "refused"),
    "approved": ("reserved", "refused", "cancelled"),
    "reserved": ("sending", "needs_person", "cancelled"),
    "sending": ("accepted", "settled", "declined", "refused", "unknown", "needs_person"),
    "accepted": ("settled", "declined", "needs_person"),
    "unknown": ("sending", "accepted", "settled", "declined", "needs_person"),
    "needs_person": ("accepted", "settled", "declined", "cancelled"),
    "settled": ("credited",),
}
GO_ONE_WAY = pgtrigger.FSM(
    name="purchase_goes_one_way",
    field="status",
    transitions=[(old, new) for old, after in _TRANSITIONS.items() for new in after],
)

# A rail that was switched off sends nothing, not even again; and what people or the provider pay is
# never sent.
RAIL_IS_ON = pgtrigger.Trigger(
    name="purchaseattempt_rail_is_on",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    declare=[("enabled", "timestamptz")],
    func="""
        IF NOT EXISTS (SELECT FROM treasury_purchase p
                         JOIN treasury_payee y ON y.slug = p.payee_id AND y.method = 'rail'
                        WHERE p.id = NEW.purchase_id) THEN
            RAISE check_violation USING CONSTRAINT = 'purchaseattempt_is_of_a_rail',
                MESSAGE = 'purchaseattempt_is_of_a_rail: Butler does not pay this payee';
        END IF;
        SELECT a.enabled_at INTO enabled
          FROM treasury_purchase p
          JOIN treasury_payee y ON y.slug = p.payee_id AND y.method = 'rail'
          JOIN treasury_railaccount a ON a.slug = y.rail
         WHERE p.id = NEW.purchase_id
           FOR KEY SHARE OF a;
        IF FOUND AND enabled IS NULL THEN
            RAISE check_violation USING CONSTRAINT = 'purchaseattempt_rail_is_on',
                MESSAGE = 'purchaseattempt_rail_is_on: the rail is switched off';
        END IF;
        RETURN NEW;
    """,
)
