"""The books balance after any sequence of what agents, operators, providers and the calendar do.

500 steps, and 2,000 among the slow tests; more, and other ones each time, with
`BUTLER_MACHINE_EXAMPLES=400` (of 50 steps each).
"""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
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
from keys.identity.queries.organisation import calendar
from keys.limits.periods import bounds
from keys.models import Agent, Allocation, ApiKey, Charge, CostCentre, Limit, Period, Window
from keys.refusals import ReportRefused
from keys.supply.pricing import Rates
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, make_people, refuse
from tests.tables import empty_tables

# Some days before clocks change in Europe and a month ends.
BEGINNING = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
DUST = Rates(input=Decimal("0.000000500"), output=Decimal("0.000001500"))
ZONES = ("UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe")
SUBJECTS = (
    (ApiKey, "nvidia-1"),
    (ApiKey, "openai-1"),
    (ApiKey, "dust-1"),
    (Agent, "ada"),
    (Agent, "carol"),
    (CostCentre, "org"),
    (CostCentre, "research"),
)
AMOUNTS = {"tokens": (0, 20_000, 90_000, 1_000_000), "usd": ("0", "0.000020", "1.2", "30")}

_any = st.integers(0, 10**6)
_tokens = st.integers(1, 40_000)
_sizes = st.lists(st.sampled_from([0, 1, 500, 3_000, 20_000]), min_size=1, max_size=4)


class Office(RuleBasedStateMachine):
    """Three keys at three prices, three agents, limits in five zones, a clock that may lag."""

    def __init__(self):
        super().__init__()
        self.clock, self.lag = BEGINNING, timedelta()
        self.allocations, self.charges = [], []
        # What the test knows by itself: states of charges (`charged`: settled since its hold
        # expired), tokens used by each allocation.
        self.statuses, self.used = {}, {}
        # The open window of each limit with its terms, as they were after the step before.
        self.open_windows = {}

    @property
    def now(self):
        """What the clock of the process shows."""
        return self.clock - self.lag

    @initialize()
    def open_office(self):
        """Empty tables, then people, keys and limits."""
        empty_tables()
        make_people()
        keys.create_cost_centre("lab", parent="research", actor=ACTOR, now=self.now)
        add_key("nvidia-1", per_day=300_000, priority=9)
        add_key("openai-1", provider="openai", rates=PAID, per_day=200_000)
        add_key("dust-1", provider="dust", rates=DUST, per_day=None)
        self.set_limit(1, "usd", "month", 2, zone="America/New_York", hour=3)
        self.set_limit(2, "usd", "total", 3, zone="UTC", hour=0)
        self.set_limit(3, "tokens", "day", 2, zone="Asia/Tokyo", hour=5)
        self.set_limit(5, "usd", "month", 3, zone="Europe/Berlin", hour=0, carry=2)
        self.set_limit(6, "tokens", "hour", 3, zone="UTC", hour=0, carry=3)
        for agent, provider in (("ada", "openai"), ("bob", None), ("carol", "dust")):
            self.lend(agent, tokens=20_000, provider=provider, ttl_seconds=100_000)
            self.hold(-1, [3_000, 500])

    # --- Agents --------------------------------------------------------------------------------

    @rule(
        agent=st.sampled_from(["ada", "bob", "carol"]),
        tokens=_tokens,
        provider=st.sampled_from([None, "openai", "dust"]),
        auto_rotate=st.booleans(),
        ttl_seconds=st.sampled_from([60, 3600, 100_000]),
        sizes=_sizes,
    )
    def allocate(self, agent, sizes, **terms):
        """Allocate, or be refused; there are no concurrent requests that could take the room."""
        try:
            self.lend(agent, **terms)
        except Refusal as refusal:
            assert refusal.code != "busy"
        else:
            self.hold(-1, sizes)

    def lend(self, agent, **terms):
        """What is lent fits into every window."""
        terms = keys.AllocationRequest(**terms)
        allocation, _ = keys.allocate(agent=agent, request=terms, actor=ACTOR, now=self.now)
        self.allocations.append(allocation)
        self.used[allocation.pk] = 0
        committed = Window.objects.filter(scope__in=allocation.scopes, closed_at=None)
        for window in committed.exclude(unit="usd" if allocation.allocated_cost == 0 else ""):
            assert window.used + window.committed <= window.amount

    @rule(which=_any, sizes=_sizes)
    def hold(self, which, sizes):
        """Set aside for some calls; what is, fits into the allocation."""
        allocation = self.one_of(self.allocations, which)
        for tokens in sizes:
            # Every other one as the gateway holds it.
            request = keys.HoldRequest(
                allocation.pk,
                tokens,
                tokens,
                f"call-{len(self.charges)}",
                route="/v1/messages" if len(self.charges) % 2 else "",
                ttl_seconds=600,
            )
            (held,) = keys.hold_many([request], now=self.now)
            if isinstance(held, Refusal):
                return
            charge = Charge.objects.get(pk=held.pk)
            self.charges.append(charge)
            self.statuses[charge.pk] = "held"
            allocation.refresh_from_db()
            assert allocation.used + allocation.held <= allocation.allocated

    @precondition(lambda self: self.charges)
    @rule(
        endings=st.lists(
            st.tuples(
                _any,
                st.sampled_from(["settled", "settled", "released"]),
                st.sampled_from([0, 30, 100, 100, 130]),
            ),
            min_size=1,
            max_size=5,
            unique_by=lambda ending: ending[0] % 7,
        )
    )
    def end(self, endings):
        """End calls in one batch, at a share of what was held; each counts once."""
        batch, expected = {}, 0
        for which, status, percent in endings:
            charge = self.one_of(self.charges, which)
            tokens = charge.held_tokens * percent // 100 if status == "settled" else 0
            usage = keys.Usage(input_tokens=tokens // 2, output_tokens=tokens - tokens // 2)
            batch.setdefault(charge.pk, keys.Settlement(charge, status, usage))
        for pk, ending in batch.items():
            was = self.statuses[pk]
            if was == "held" or (was, ending.status) == ("expired", "settled"):
                expected += 1
                self.statuses[pk] = ending.status
                self.used[ending.charge.allocation_id] += ending.usage.tokens
        ended = keys.settle_many(batch.values(), now=self.now)
        assert ended == expected + sum(self.corrected(ending) for ending in batch.values())

    def corrected(self, ending):
        """Whether a late ending corrected the charge of an expired hold."""
        charge = Charge.objects.get(pk=ending.charge.pk)
        if self.statuses[charge.pk] != "charged" or charge.hold_expired_at:
            return False
        # If one of its windows has closed, it is adjusted and stays settled.
        self.statuses[charge.pk] = charge.status
        self.used[charge.allocation_id] += ending.usage.tokens - charge.held_tokens
        return True

    @rule(
        which=_any,
        tokens=_tokens,
        share=st.sampled_from([1, 10, 10, 1000]),
        scopes=st.sampled_from([(), ("operate",), ("operate",)]),
    )
    def report(self, which, tokens, share, scopes):
        """Report usage without a hold; with a token to operate it is always recorded."""
        allocation = self.one_of(self.allocations, which)
        usage = keys.Usage(total=tokens // share)
        try:
            keys.report_usage(allocation_id=allocation.pk, usage=usage, scopes=scopes, now=self.now)
        except ReportRefused:
            assert not scopes
        else:
            self.used[allocation.pk] += usage.tokens

    @rule(which=_any, key=st.sampled_from([None, "nvidia-1", "openai-1", "dust-1"]))
    def rotate(self, which, key):
        """Move what is left, or change nothing."""
        allocation = Allocation.objects.get(pk=self.one_of(self.allocations, which).pk)
        self.unless_refused(
            keys.rotate, allocation=allocation, key=key, reason="", actor=ACTOR, now=self.now
        )

    @rule(which=_any, how=st.sampled_from(["complete", "fail", "extend", "extend"]))
    def finish(self, which, how):
        """Complete, fail or extend."""
        allocation = self.one_of(self.allocations, which)
        more = {"complete": {}, "fail": {"reason": "gave up"}, "extend": {"ttl_seconds": 7200}}
        self.unless_refused(
            getattr(keys, how),
            allocation_id=allocation.pk,
            actor=ACTOR,
            now=self.now,
            **more[how],
        )

    # --- Operators and providers ---------------------------------------------------------------

    @precondition(lambda self: self.charges)
    @rule(
        which=_any,
        percent=st.sampled_from([0, 30, 100, 130]),
        cost=st.sampled_from([None, None, "0", "0.02"]),
    )
    def adjust(self, which, percent, cost):
        """Correct a charge to a share of what was held; only a settled one can be."""
        charge = self.one_of(self.charges, which)
        try:
            adjustment, _ = keys.adjust_charge(
                charge_id=charge.pk,
                usage=keys.Usage(total=charge.held_tokens * percent // 100),
                cost=cost and Decimal(cost),
                reason="as billed",
                actor=ACTOR,
                now=self.now,
            )
        except Refusal as refusal:
            is_settled = self.statuses[charge.pk] in ("settled", "charged")
            assert is_settled == (refusal.code != "charge_not_settled")
        else:
            self.used[charge.allocation_id] += adjustment.tokens
            self.statuses[charge.pk] = "settled"

    @rule(
        subject=st.integers(0, len(SUBJECTS) - 1),
        unit=st.sampled_from(["tokens", "usd"]),
        period=st.sampled_from(Period.values),
        amount=st.sampled_from([None, 0, 1, 2, 2, 3, 3, 3]),
        zone=st.sampled_from(ZONES),
        hour=st.sampled_from([0, 2, 23]),
        carry=st.sampled_from([0, 0, 1, 2, 3]),
    )
    def set_limit(self, subject, unit, period, amount, zone, hour, carry=0):
        """Add a limit, raise it, lower it, move it to another calendar, remove one; let it carry
        over what is left, or not."""
        if amount is None:
            limits = list(Limit.objects.filter(removed_at=None).order_by("pk"))
            if limits:
                keys.remove_limit(
                    self.one_of(limits, subject), reason="test", actor=ACTOR, now=self.now
                )
            return
        model, pk = SUBJECTS[subject]
        terms = keys.Terms(
            unit=unit,
            period=period,
            amount=AMOUNTS[unit][amount],
            zone=zone,
            reset_hour=0 if period == "hour" else hour,
            carry_over_max=None if period == "total" else AMOUNTS[unit][carry],
        )
        keys.set_limit(
            model.objects.get(pk=pk),
            terms=terms,
            reason="test",
            actor=ACTOR,
            now=self.now,
        )

    @rule(
        what=st.sampled_from(["ada", "carol", "research", "lab"]),
        to=st.sampled_from(["org", "research", "sales", "lab"]),
        open_work=st.sampled_from(["refuse", "refuse", "end"]).map(keys.OpenWorkRule),
    )
    def move(self, what, to, open_work):
        """An agent or a cost centre moves, if nothing is open or that is ended with it."""
        move = keys.move_agent if what in ("ada", "carol") else keys.move_cost_centre
        place = {"cost_centre" if move is keys.move_agent else "parent": to}
        asked = {"open_work": open_work, "reason": "moved", "actor": ACTOR, "now": self.now}
        self.unless_refused(partial(move, what), **place, **asked)

    @rule(week_starts=st.integers(0, 6), fiscal_year_starts=st.integers(1, 12))
    def change_calendar(self, **calendar):
        """The organisation's weeks or fiscal years begin at another time."""
        keys.change_organisation(actor=ACTOR, reason="test", now=self.now, **calendar)

    @rule(
        slug=st.sampled_from(["nvidia-1", "openai-1", "dust-1"]),
        what=st.sampled_from(
            ["invalid", "rate_limited", "doubtful", "inactive", "active", "active", PAID, DUST]
        ),
    )
    def change_key(self, slug, what):
        """The provider refuses it, an operator switches it or gives it another price."""
        if what in list(keys.KeyFinding):
            refuse(slug, what, now=self.now)
        elif isinstance(what, str):
            keys.set_key_status(slug, status=what, reason="test", actor=ACTOR, now=self.now)
        else:
            keys.set_price(slug, rates=what, actor=ACTOR, reason="test", now=self.now)

    # --- Time ----------------------------------------------------------------------------------

    @rule(
        minutes=st.sampled_from([0, 0, 1, 11, 11, 61, 1440, 31 * 1440, "midnight", "midnight"]),
        lag=st.sampled_from([0, 0, 2]),
    )
    def wait(self, minutes, lag):
        """Time goes on, over midnights and ends of months; the next process may be behind."""
        second = timedelta(seconds=1)
        self.lag = lag * second
        if minutes != "midnight":
            self.clock += timedelta(minutes=minutes) + second
            return
        midnight = self.clock.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        self.clock = midnight - second if midnight - self.clock > second else midnight + second

    @rule(days=st.sampled_from([0, 36]), complete=st.booleans())
    def partition(self, days, complete):
        """Final charges move to their months, some sooner than ever; late ones still come."""
        at = self.now + timedelta(days=days)
        keys.partition_charges(now=at)
        if complete:
            keys.complete_partitions(now=at)

    @rule(sweep=st.sampled_from(["charges", "allocations", "windows", "keys", "stranded", "away"]))
    def sweep(self, sweep):
        """The jobs, in any order, or never."""
        if sweep == "charges":
            overdue = Charge.objects.filter(status="held", expires_at__lte=self.now)
            expected = list(overdue)
            assert keys.expire_charges(now=self.now) == len(expected)
            for charge in expected:
                is_sent = charge.route and charge.held_tokens
                self.statuses[charge.pk] = "charged" if is_sent else "expired"
                self.used[charge.allocation_id] += charge.held_tokens if is_sent else 0
        elif sweep == "away":
            keys.rotate_away("openai-1", now=self.now)
        else:
            sweeps = {
                "allocations": keys.expire_allocations,
                "windows": keys.open_windows,
                "keys": keys.revive_keys,
                "stranded": keys.rotate_stranded,
            }
            sweeps[sweep](now=self.now)

    # --- What always holds ---------------------------------------------------------------------

    @invariant()
    def balances(self):
        """Every invariant of the books."""
        if CostCentre.objects.exists():
            assert_books_balance()

    @invariant()
    def agrees_with_the_test(self):
        """States of charges and usage of allocations are those that the test counted itself."""
        if self.allocations:
            used = Allocation.objects.values_list("pk", "used")
            assert {pk: tokens for pk, tokens in used if pk in self.used} == self.used
        if self.charges:
            charges = Charge.objects.filter(pk__in=self.statuses)
            assert {c.pk: "charged" if c.hold_expired_at else c.status for c in charges} == (
                self.statuses
            )

    @invariant()
    def carries_over_what_was_left(self):
        """A window that this step opened got what the one before left by the terms of then."""
        rows = Window.objects.filter(closed_at=None).select_related("limit")
        now_open = {row.limit_id: row for row in rows}
        for limit, window in now_open.items():
            before = self.open_windows.get(limit, window)
            if before.pk != window.pk:
                assert window.carried == carried_by_hand(before, window.starts_at, self.calendar)
            else:
                assert window.carried == before.carried
        self.open_windows, self.calendar = now_open, calendar()

    def one_of(self, rows, which):
        """Any of them."""
        return rows[which % len(rows)]

    def unless_refused(self, service, **arguments):
        """Call; a refusal is an answer."""
        try:
            service(**arguments)
        except Refusal:
            return


def carried_by_hand(window, starts_at, calendar):
    """What is carried over from `window` into the one from `starts_at`, period by period."""
    limit, at = window.limit, window.ends_at
    most = limit.carry_over_max or Decimal(0)
    carried = max(min(most, window.amount - window.used - window.committed), 0)
    while at < starts_at:
        _, at = bounds(
            period=limit.period,
            at=at,
            zone=limit.zone,
            reset_hour=limit.reset_hour,
            calendar=calendar,
        )
        carried = max(min(most, limit.amount + carried - window.committed), 0)
    return carried


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("examples", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_the_books_balance_after_any_sequence_of_calls(examples):
    more = os.environ.get("BUTLER_MACHINE_EXAMPLES")
    run_state_machine_as_test(
        Office,
        settings=settings(
            max_examples=int(more or examples),
            stateful_step_count=50,
            derandomize=not more,
            database=None,
            # Shrinking takes minutes; the steps of the failure are printed as they were.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
