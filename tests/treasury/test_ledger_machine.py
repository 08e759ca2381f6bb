"""The ledger balances after any sequence of transfers, their ends, corrections, closes and charges.

300 steps, and 5,000 other ones each time among the slow tests; more with
`BUTLER_MACHINE_EXAMPLES=1000` (50 steps each).
"""

import os
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from common.refusal import Refusal
from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, adjust, allocate, make_people, report
from tests.moments import NOON
from tests.treasury.builders import (
    CREDIT,
    EXPENSE,
    FUNDING,
    RAIL,
    TRANSIT,
    begin_pending,
    broken,
    entry,
    open_account,
    open_accounts,
    post_pending,
    transfer,
    void_pending,
)
from treasury import services as treasury
from treasury.models import Account, Consumption

ACCOUNTS = (RAIL, CREDIT, EXPENSE, FUNDING, TRANSIT)
METERED = "credit:openai"
FREE = {CREDIT, EXPENSE, FUNDING, METERED}
EXAMPLES, EXAMPLES_SLOW = 6, int(os.environ.get("BUTLER_MACHINE_EXAMPLES", "100"))
_amounts = st.sampled_from(["0.01", "1", "12.50", "30", "0.000000001", "99.999999999"])
_accounts = st.sampled_from(ACCOUNTS)
_any = st.integers(0, 10**6)


class Ledger(RuleBasedStateMachine):
    """Five accounts, metered credit, a clock, and what a second, naive ledger makes of the same."""

    # After how many steps the ledger is counted again.
    checked_each = 1

    def __init__(self):
        super().__init__()
        self.steps = 0
        self.now, self.closed = NOON, None
        self.single, self.pending = [], []
        self.charges, self.unposted = [], Decimal(0)
        # By number of the charge: what it counts for.
        self.tokens = []
        self.posted, self.outgoing = defaultdict(Decimal), defaultdict(Decimal)

    @initialize()
    def begin(self):
        open_accounts()
        open_account(METERED)
        self._post(RAIL, FUNDING, Decimal(100))

    @property
    def today(self):
        return self.now.date()

    def _post(self, debit, credit, amount, **changes):
        rows = transfer(
            entry(debit, credit, amount, effective_on=self.today, **changes), now=self.now
        )
        self._move(debit, credit, amount)
        self.single += rows

    def _move(self, debit, credit, amount):
        # Debits less credits.
        self.posted[debit] += amount
        self.posted[credit] -= amount

    def _fits(self, debit, credit, amount):
        """What the naive ledger says: enough is there, and the bank takes whole cents."""
        if debit == credit or RAIL in (debit, credit) and amount != round(amount, 2):
            return False
        return credit in FREE or self.posted[credit] - self.outgoing[credit] >= amount

    def _is_open(self):
        return self.closed is None or self.today > self.closed

    def _try(self, is_right, act):
        """Refused exactly where the naive ledger refuses."""
        try:
            act()
        except Refusal as refusal:
            assert not is_right, refusal
        else:
            assert is_right

    @rule(debit=_accounts, credit=_accounts, amount=_amounts)
    def moves(self, debit, credit, amount):
        amount = Decimal(amount)
        is_right = self._fits(debit, credit, amount) and self._is_open()
        self._try(is_right, lambda: self._post(debit, credit, amount))

    @rule(which=_any)
    def is_corrected(self, which):
        first = self.single[which % len(self.single)]
        debit, credit = first.credit.name, first.debit.name
        is_right = self._fits(debit, credit, first.amount) and self._is_open()
        self._try(
            is_right,
            lambda: self._post(debit, credit, first.amount, kind="adjustment", corrects=first),
        )

    @rule(debit=_accounts, credit=_accounts, amount=_amounts, minutes=st.integers(1, 3000))
    def is_set_aside(self, debit, credit, amount, minutes):
        amount = Decimal(amount)

        def act():
            self.pending += begin_pending(
                entry(debit, credit, amount, effective_on=self.today),
                expires_at=self.now + timedelta(minutes=minutes),
                now=self.now,
            )
            self.outgoing[credit] += amount

        self._try(self._fits(debit, credit, amount) and self._is_open(), act)

    @rule(which=_any, percent=st.sampled_from([1, 50, 100, 101]), voids=st.booleans())
    def ends(self, which, percent, voids):
        if not self.pending:
            return
        pending = self.pending[which % len(self.pending)]
        share = round(pending.amount * percent / 100, 2 if percent != 100 else 9)
        debit, credit = pending.debit.name, pending.credit.name

        def act():
            if voids:
                void_pending(pending, now=self.now, effective_on=self.today)
            else:
                post_pending(pending, amount=share, now=self.now, effective_on=self.today)
                self._move(debit, credit, share)
            self.outgoing[credit] -= pending.amount
            self.pending.remove(pending)

        can_post = 0 < share <= pending.amount and self.now < pending.expires_at
        self._try(self._is_open() and (voids or can_post), act)

    @rule(tokens=st.integers(1, 50))
    def call_is_charged(self, tokens):
        charge = report(allocate(now=self.now), tokens, now=self.now)
        self.charges.append(charge)
        self.tokens.append(tokens)
        self.unposted += charge.cost

    @rule(which=_any, tokens=st.integers(0, 50))
    def charge_is_corrected_later(self, which, tokens):
        """On its own day, which may have been posted, and closed, by now."""
        if not self.charges:
            return
        number = which % len(self.charges)

        def act():
            self.unposted += adjust(self.charges[number], tokens, now=self.now).cost

        self._try(tokens != self.tokens[number], act)
        self.tokens[number] = tokens

    @rule()
    def consumption_is_posted(self):
        treasury.post_consumption(Account.objects.get(name=METERED), now=self.now)
        self._move(EXPENSE, METERED, self.unposted)
        self.unposted = Decimal(0)
        # What is corrected from now on was not known when it was posted.
        self.now += timedelta(microseconds=1)
        assert all(
            row.transfer.effective_on >= row.day
            for row in Consumption.objects.select_related("transfer")
        )

    @rule(hours=st.sampled_from([1, 5, 24]))
    def time_passes(self, hours):
        self.now += timedelta(hours=hours)
        if not self._is_open():
            return
        expired = [each for each in self.pending if each.expires_at <= self.now]
        assert treasury.expire_pending(today=self.today, now=self.now) == len(expired)
        for each in expired:
            self.outgoing[each.credit.name] -= each.amount
            self.pending.remove(each)

    @rule()
    def period_closes(self):
        through = self.today - timedelta(days=1)

        def act():
            treasury.close_period(through, reason="End", actor=ACTOR, now=self.now)
            self.closed = through

        self._try(self.closed is None or through > self.closed, act)

    @invariant()
    def balances(self):
        self.steps += 1
        if self.steps % self.checked_each == 0:
            assert broken() == []
        for account in Account.objects.all():
            assert account.debits_posted - account.credits_posted == self.posted[account.name]
            if account.name not in FREE:
                left = self.posted[account.name] - self.outgoing[account.name]
                assert account.available == left >= 0


@pytest.mark.django_db
def test_the_ledger_balances_after_any_sequence():
    run(Ledger, examples=EXAMPLES, derandomize=True)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_ledger_balances_after_any_of_many_sequences():
    class LessOftenChecked(Ledger):
        checked_each = 5

    run(LessOftenChecked, examples=EXAMPLES_SLOW)


def run(machine, *, examples, derandomize=False):
    """Each example is rolled back; what owns a transaction joins that of the test."""
    make_people()
    add_key("openai-1", rates=PAID, provider="openai", per_day=10**9)

    class Rolled(machine):
        def __init__(self):
            super().__init__()
            self.savepoint = transaction.savepoint()

        def teardown(self):
            try:
                assert broken() == []
            finally:
                transaction.savepoint_rollback(self.savepoint)

    run_state_machine_as_test(
        Rolled,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            derandomize=derandomize,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
