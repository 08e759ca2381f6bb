"""A closed month never changes, with all that follows; and each cent is in exactly one place.

More sequences, and other ones each time, with `BUTLER_MACHINE_EXAMPLES=400`.
"""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Sum
from django.db.models.functions import Coalesce
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from common.refusal import Refusal
from keys import services as keys
from keys.books.queries.spend import SpendFilter, spend_total
from keys.identity.queries.organisation import organisation
from keys.models import Charge, CostCentre, Organisation
from keys.refusals import WrongValue
from reports import queries
from reports import services as reports
from reports.focus import ClosedFocusMonth
from reports.models import CloseLine, CostShare, MonthClose
from reports.month_periods import next_month
from reports.queries.closed_centres import centres_of, frozen_centres
from reports.queries.statements import statement, statement_lines
from reports.refusals import ChecklistUnmet
from security import services as security
from security.actor import Actor
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.gate.approvals import person
from tests.keys.builders import PAID, add_key, adjust, allocate, make_people, report
from tests.reports.closing import WAIVED
from tests.tables import empty_tables

BEGINNING = datetime(2026, 1, 20, 12, 0, tzinfo=UTC)
FIRST = date(2026, 1, 1)
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Pacific/Apia")
VERA = Actor.person("vera")

_any = st.integers(0, 10**6)
_tokens = st.integers(1, 500)
_agents = st.sampled_from(["ada", "bob", "carol"])
_centres = st.sampled_from(["org", "research", "sales"])
_END = keys.OpenWorkRule.END


class ClosingOffice(RuleBasedStateMachine):
    """Three agents of two cost centres, calls that cost, and finance, which closes months."""

    def __init__(self):
        super().__init__()
        self.clock = BEGINNING
        self.expired = []
        self.closed = {}
        # Where cost centres are, who pays for agents, and which path each allocation was lent in.
        self.parents = {"org": "", "research": "org", "sales": "org"}
        self.payers = {"ada": "research", "bob": "research", "carol": "sales"}
        self.paths = {}

    @initialize()
    def open_office(self):
        """Empty tables, then people and a key without a daily limit: late answers are in place."""
        empty_tables()
        make_people()
        add_key("openai-1", rates=PAID, provider="openai", per_day=None)
        # The tables of accounts are not emptied.
        if not get_user_model().objects.filter(username="rita").exists():
            person("vera")
            person("paul")
            person("rita").user_permissions.add(_permission("reopen_monthclose"))

    # --- Agents and providers ------------------------------------------------------------------

    @rule(agent=_agents, tokens=_tokens, label=st.sampled_from(["", "task:a"]))
    def spend(self, agent, tokens, label):
        """A call that costs."""
        lent = self.lend(agent, label=label)
        report(lent, tokens, now=self.clock)

    @rule(agent=_agents, tokens=_tokens)
    def be_silent(self, agent, tokens):
        """The provider does not answer in time: the whole hold is charged, as an estimate."""
        lent = self.lend(agent)
        request = keys.HoldRequest(lent.pk, tokens, tokens, "call", route="/v1/messages")
        (held,) = keys.hold_many([request], now=self.clock)
        self.clock += timedelta(hours=2)
        keys.expire_charges(now=self.clock)
        self.expired.append(held.pk)

    def lend(self, agent, **terms):
        """A session, and in which path it was lent."""
        lent = allocate(agent, tokens=1_000, now=self.clock, ttl_seconds=3_600, **terms)
        self.paths[lent.pk] = self.path(self.payers[agent])
        return lent

    def path(self, name):
        """The cost centres from the root to this one."""
        return [*self.path(self.parents[name]), name] if name else []

    @precondition(lambda self: self.expired)
    @rule(which=_any, tokens=_tokens, is_released=st.booleans())
    def answer_late(self, which, tokens, is_released):
        """The provider answers after all, perhaps months later."""
        charge = Charge.objects.get(pk=self.expired.pop(which % len(self.expired)))
        try:
            if is_released:
                keys.release(charge=charge, now=self.clock)
            else:
                usage = keys.Usage(input_tokens=tokens)
                keys.settle(charge=charge, usage=usage, now=self.clock)
        except Refusal:
            return

    @rule(which=_any, tokens=_tokens)
    def adjust(self, which, tokens):
        """Somebody corrects a charge of any month."""
        settled = Charge.objects.filter(status="settled").order_by("pk")
        if count := settled.count():
            try:
                adjust(settled[which % count], tokens, now=self.clock)
            except WrongValue:
                return

    # --- Finance -------------------------------------------------------------------------------

    @rule(days=st.sampled_from([1, 9, 33]))
    def wait(self, days):
        """Time passes."""
        self.clock += timedelta(days=days)

    @rule(zone=st.sampled_from(ZONES))
    def move(self, zone):
        """The organisation reports in another zone."""
        keys.change_organisation(reporting_zone=zone, actor=ACTOR, reason="test", now=self.clock)

    @rule(name=_centres, parent=st.sampled_from(["", "org", "research", "sales"]))
    def move_in_the_tree(self, name, parent):
        """A cost centre gets another place."""
        try:
            keys.move_cost_centre(
                name, parent=parent, open_work=_END, reason="test", actor=VERA, now=self.clock
            )
        except WrongValue:
            # It would be below itself.
            return
        self.parents[name] = parent

    @rule(agent=_agents, to=_centres)
    def change_payer(self, agent, to):
        """Another cost centre pays for an agent."""
        keys.move_agent(
            agent, cost_centre=to, open_work=_END, reason="test", actor=VERA, now=self.clock
        )
        self.payers[agent] = to

    @rule(
        source=st.sampled_from([None, "org", "research", "sales"]),
        method=st.sampled_from(["fixed", "use", "even"]),
        names=st.sets(st.sampled_from(["org", "research", "sales"])),
        percent=st.decimals("0.001", 33, places=3),
    )
    def share(self, source, method, names, percent):
        """Shared costs are split in another way."""
        reports.share_costs(
            source=source,
            method=method,
            targets=dict.fromkeys(sorted(names), percent),
            actor=VERA,
            reason="test",
            now=self.clock,
        )

    @rule(which=_any)
    def stop_sharing(self, which):
        """A rule is deleted."""
        shares = CostShare.objects.order_by("pk")
        if count := shares.count():
            share = shares[which % count]
            reports.stop_sharing(share, actor=VERA, reason="test", now=self.clock)

    @rule(
        name=st.sampled_from(["org", "research", "sales"]), percent=st.decimals(-99, 99, places=3)
    )
    def mark_up(self, name, percent):
        """A cost centre pays more, or less."""
        centre = CostCentre.objects.get(pk=name)
        reports.change_mark_up(centre, percent=percent, actor=VERA, reason="test", now=self.clock)

    @rule()
    def close(self):
        """Lock the next month, if it is over, and sign it."""
        last = MonthClose.objects.standing().order_by("-month").first()
        month = next_month(last.month) if last else FIRST
        try:
            close = reports.lock_month(month=month, waivers=WAIVED, actor=VERA, now=self.clock)
        except ChecklistUnmet as refusal:
            assert refusal.items == ["over"]
            return
        for signer in ("vera", "paul"):
            close = reports.sign_month(close, actor=Actor.person(signer), now=self.clock)
        self.closed[close.pk] = self.everything_of(close)
        self.check_places(close.ends_at)

    def check_places(self, ends_at):
        """Closed months and the books have each cent in the part of the tree that paid it."""
        costs = [
            (charge.settled_at, self.paths[charge.allocation_id], charge.cost + charge.adjusted)
            for charge in Charge.objects.filter(status="settled").annotate(
                adjusted=Coalesce(Sum("adjustments__cost"), Decimal(0))
            )
        ]
        closes = list(MonthClose.objects.standing().values_list("pk", flat=True))
        everything = SpendFilter(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        for part in self.parents:
            found = [
                each.usage + each.corrections
                for centres in frozen_centres(closes, within=[part]).values()
                for each in centres
            ]
            closed = [cost for at, path, cost in costs if part in path and at < ends_at]
            assert sum(found) == sum(closed), part
            books = spend_total(everything._replace(within=(part,))).cost
            assert books == sum(cost for _, path, cost in costs if part in path), part

    @precondition(lambda self: self.closed)
    @rule()
    def reopen(self):
        """Open the latest closed month again."""
        if last := MonthClose.objects.standing().order_by("-month").first():
            asked = reports.ask_reopening(last, reason="test", actor=VERA, now=self.clock)
            security.approve(asked.pk, actor=Actor.person("rita"), now=self.clock)

    # --- What always holds ---------------------------------------------------------------------

    @invariant()
    def closed_months_never_change(self):
        """Figures, lines and the FOCUS file are those of the moment of the lock."""
        for pk, before in self.closed.items():
            assert self.everything_of(MonthClose.objects.get(pk=pk)) == before

    @invariant()
    def each_cent_is_in_one_place(self):
        """Frozen lines of standing closes + what changed since + open months = the books."""
        if not CostCentre.objects.exists():
            return
        closes = MonthClose.objects.standing()
        lines = list(CloseLine.objects.filter(close__in=closes))
        frozen = sum((line.cost for line in lines), Decimal(0))
        carried = sum((line.cost for line in lines if line.corrects_id), Decimal(0))
        later = sum((each.later for close in closes for each in centres_of(close)), Decimal(0))
        months = queries.open_months(zone=_zone(), now=self.clock)
        still_open = sum((spend.cost for spend in months.values()), Decimal(0))
        until = datetime(2100, 1, 1, tzinfo=UTC)
        books = spend_total(SpendFilter(datetime(2000, 1, 1, tzinfo=UTC), until)).cost
        # What is carried is among the later changes of the month that it corrects.
        assert frozen + later - carried + still_open == books

    @invariant()
    def each_cent_is_in_one_statement_or_unallocated(self):
        """Statements less their mark-ups, and the bucket, add up to the frozen total."""
        for close in MonthClose.objects.standing():
            names = [*close.shares.values_list("target", flat=True), "org", "research", "sales"]
            found = [statement(close, name) for name in sorted({*names} - {""})]
            without_mark_ups = [each.total - each.mark_up for each in found]
            assert sum(without_mark_ups, close.unallocated) == close.cost
            totals = {each.cost_centre: each.total for each in found if each.lines}
            assert totals == {each.cost_centre: each.total for each in _frozen(close)}

    @invariant()
    def each_statement_opens_where_the_one_before_closed(self):
        """In a fiscal year; its first statement opens with nothing."""
        before = {}
        for close in MonthClose.objects.standing().order_by("month"):
            found = {name: statement(close, name) for name in ("org", "research", "sales")}
            for name, each in found.items():
                follows = close.month > close.fiscal_year_began and name in before
                assert each.opening == (before[name] if follows else 0)
            before = {name: each.closing for name, each in found.items()}

    @rule(month=st.sampled_from([1, 3, 12]))
    def change_fiscal_year(self, month):
        """Fiscal years begin with another month: the statements that are there stay."""
        keys.change_organisation(
            fiscal_year_starts=month, actor=ACTOR, reason="test", now=self.clock
        )

    @invariant()
    def balances(self):
        """Every invariant of the books, with those of closed months."""
        if CostCentre.objects.exists():
            assert_books_balance()

    def everything_of(self, close):
        """What a closed month shows."""
        month = ClosedFocusMonth(Organisation(), close.month, close=close, lines=close.lines.all())
        rows = [dict(zip(month.columns, row, strict=True)) for row in month.rows()]
        assert sum((row["BilledCost"] for row in rows), Decimal(0)) == close.cost
        frozen = [
            (line.pk, line.day, line.placement_id, line.agent, line.tokens, line.cost)
            for line in close.lines.all()
        ]
        shared = list(close.shares.values_list("source", "target", "amount"))
        marked = list(close.mark_ups.values_list("cost_centre", "amount"))
        figures = (close.cost, close.tokens, close.calls, close.starts_at, close.ends_at)
        told = statement_lines(close, "research")
        return *figures, frozen, rows, shared, marked, close.unallocated, told


def _frozen(close):
    return frozen_centres([close.pk]).get(close.pk, [])


def _permission(codename):
    return Permission.objects.get(codename=codename)


def _zone():
    return ZoneInfo(organisation().reporting_zone)


@pytest.mark.django_db(transaction=True)
def test_a_closed_month_never_changes_and_no_cent_is_lost_or_doubled():
    more = os.environ.get("BUTLER_MACHINE_EXAMPLES")
    run_state_machine_as_test(
        ClosingOffice,
        settings=settings(
            max_examples=int(more or 12),
            stateful_step_count=30,
            derandomize=not more,
            database=None,
            # Shrinking takes minutes; the steps of the failure are printed as they were.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
