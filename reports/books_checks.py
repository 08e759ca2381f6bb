"""What the books check counts again of closed months."""

from common.row_checks import Check
from keys.books.queries import books_check
from keys.books.queries.month_usage import COUNTED_FROM, adjustments_sql, charge_figures_sql
from reports.models import CLOSED_MEASURES

_SUMS = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in CLOSED_MEASURES)
_DIFFER = " OR ".join(f"c.{name} <> l.{name}" for name in CLOSED_MEASURES)

CHECKS = [
    Check(
        "9 closed-month-lines",
        "a closed month = the sum of its lines, in every measure",
        f"""
        SELECT c.month, c.status, c.tokens, l.tokens AS tokens_of_lines, c.cost,
               l.cost AS cost_of_lines
          FROM reports_monthclose c
         CROSS JOIN LATERAL (SELECT {_SUMS} FROM reports_closeline WHERE close_id = c.id) l
         WHERE {_DIFFER}
        """,  # noqa: S608 - names of columns
    ),
    Check(
        "9 closed-month-recount",
        "what the books have of a closed month = its frozen lines, with the adjustments and late "
        "answers of providers since, if retention deleted none of its charges",
        f"""
        SELECT c.month, u.tokens, x.tokens AS tokens_explained, u.cost, x.cost AS cost_explained
          FROM reports_monthclose c
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(cost), 0) AS cost
                 FROM keys_settled_usage
                WHERE status = 'settled' AND settled_at >= c.starts_at AND settled_at < c.ends_at
               ) u
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(cost), 0) AS cost
                 FROM reports_closeline WHERE close_id = c.id AND corrects_id IS NULL
               ) l
         CROSS JOIN LATERAL ({adjustments_sql("c.starts_at", "c.ends_at")}) a
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(h.tokens - e.tokens), 0) AS tokens,
                      coalesce(sum(h.cost - e.cost), 0) AS cost
                 FROM reports_openestimate e
                CROSS JOIN LATERAL ({charge_figures_sql("e.charge_id")}) h
                WHERE e.close_id = c.id
               ) late
         CROSS JOIN LATERAL (
               SELECT l.tokens + a.tokens - c.adjusted_tokens + late.tokens AS tokens,
                      l.cost + a.cost - c.adjusted_cost + late.cost AS cost
               ) x
         WHERE c.status <> 'reopened' AND c.starts_at > {COUNTED_FROM}
           AND (u.tokens <> x.tokens OR u.cost <> x.cost)
        """,  # noqa: S608 - statements of keys
    ),
    Check(
        "9 closed-month-shares",
        "shared costs of a closed month add up to what the cost centre cost",
        """
        SELECT c.month, s.source, s.amount, l.cost
          FROM reports_monthclose c
          JOIN (SELECT close_id, source, sum(amount) AS amount FROM reports_closeshare
                 WHERE source <> '' GROUP BY close_id, source) s ON s.close_id = c.id
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(cost), 0) AS cost FROM reports_closeline
                WHERE close_id = c.id AND cost_centre = s.source
               ) l
         WHERE s.amount <> l.cost
        """,
    ),
    Check(
        "9 closed-month-unallocated",
        "what is unallocated of a closed month = what went into the bucket - what was split of it",
        """
        SELECT c.month, c.unallocated, s.amount
          FROM reports_monthclose c
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(CASE WHEN target = '' THEN amount ELSE -amount END), 0) AS amount
                 FROM reports_closeshare
                WHERE close_id = c.id AND (source = '' OR target = '')
               ) s
         WHERE c.unallocated <> s.amount
        """,
    ),
]
books_check.register(CHECKS)
