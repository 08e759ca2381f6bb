"""Rail accounts: sealed secrets, off at first, switched on by two persons and only as approved."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from security import services as security
from security.models import AuditEntry
from security.refusals import ApprovalOutdated, SecondPersonNeeded
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import DORA, FINN, MINUTE, add_payee, approve, make_decider
from tests.treasury.rail_accounts import SETTINGS, add_rail, stand_in, switch_on
from treasury import services as treasury
from treasury.models import RailAccount
from treasury.rail_list import connection_of, paying_rail, rail_named, rail_to_read
from treasury.refusals import RailNotFound, RailOff, WrongPayee, WrongRail

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rail_is_off_until_a_second_person_says_yes():
    make_decider()
    make_decider("finn")
    account = add_rail()
    with pytest.raises(RailOff):
        rail_named("stripe")
    assert rail_to_read("stripe").is_play_money
    approval = treasury.propose_rail("stripe", reason="test", actor=FINN, now=NOON)
    assert approval.effect == "stripe (Stripe) moves play money."
    with pytest.raises(SecondPersonNeeded):
        security.approve(approval.pk, actor=FINN, now=NOON)
    approve(approval)
    rail = rail_named("stripe")
    assert (rail.name, rail.is_play_money) == ("stripe", True)
    assert treasury.switch_rail_off("stripe", reason="done", actor=FINN, now=NOON)
    assert not treasury.switch_rail_off("stripe", reason="done", actor=FINN, now=NOON)
    with pytest.raises(RailOff):
        rail_named("stripe")
    with pytest.raises(RailNotFound):
        rail_named("nothing")
    actions = set(AuditEntry.objects.about(account.address).values_list("action", flat=True))
    assert {"rail.add", "rail.switch_on", "rail.switch_off"} <= actions


def test_the_secret_is_sealed_and_shown_nowhere():
    account = add_rail(secret="sk_test_very_secret", webhook_secret="whsec_very_secret")
    account.refresh_from_db()
    assert b"very_secret" not in bytes(account.sealed_secret)
    connection = connection_of(account)
    assert connection.secret == "sk_test_very_secret"
    assert connection.webhook_secret == "whsec_very_secret"
    assert "very_secret" not in repr(connection) + repr(account) + repr(vars(account))
    entries = AuditEntry.objects.about(account.address)
    assert "very_secret" not in "".join(f"{each.before} {each.after}" for each in entries)


def test_who_replaces_the_secret_or_the_settings_switches_it_off():
    make_decider()
    account = switch_on(add_rail())
    by = {"actor": FINN, "now": NOON + MINUTE}
    treasury.replace_rail_secret("stripe", webhook_secret="whsec_other", **by)
    assert rail_named("stripe")
    treasury.replace_rail_secret("stripe", secret="rk_test_other", **by)
    with pytest.raises(RailOff):
        rail_named("stripe")
    switch_on(account)
    treasury.change_rail_settings("stripe", SETTINGS, **by)
    assert rail_named("stripe")
    treasury.change_rail_settings("stripe", SETTINGS | {"customer": "cus_1"}, **by)
    with pytest.raises(RailOff):
        rail_named("stripe")


def test_an_approval_is_for_the_secret_that_there_was():
    make_decider()
    add_rail()
    approval = treasury.propose_rail("stripe", reason="test", actor=FINN, now=NOON)
    treasury.replace_rail_secret("stripe", secret="sk_test_other", actor=FINN, now=NOON + MINUTE)
    with pytest.raises(ApprovalOutdated):
        approve(approval)
    assert RailAccount.objects.get().enabled_at is None


def test_the_database_refuses_to_switch_on_without_an_approval():
    make_decider()
    account = switch_on(add_rail())
    rows = RailAccount.objects.filter(pk="stripe")
    on = {"enabled_at": NOON}
    with pytest.raises(DatabaseError, match="railaccount_is_as_approved"), transaction.atomic():
        rows.update(settings={"return_url": "https://mallory.example"})
    rows.update(enabled_at=None)
    # By the approval of last time.
    with pytest.raises(DatabaseError, match="railaccount_is_as_approved"), transaction.atomic():
        rows.update(**on)
    with pytest.raises(IntegrityError, match="two_persons"), transaction.atomic():
        rows.update(approval=None, **on)
    with pytest.raises(IntegrityError, match="two_persons"), transaction.atomic():
        rows.update(approval=None, approved_persons=account.asked_persons, **on)
    with pytest.raises(DatabaseError, match="railaccount_keeps_its_terms"), transaction.atomic():
        rows.update(mode="live")
    with pytest.raises(DatabaseError, match="railaccount_is_off_at_first"), transaction.atomic():
        RailAccount.objects.create(slug="other", kind="stripe", mode="live", created_at=NOON, **on)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "coins"}, "no kind of rail named coins"),
        ({"secret": "sk_live_real"}, "begins with sk_test_ or rk_test_"),
        ({"settings": {}}, "Return address is missing"),
        ({"settings": SETTINGS | {"url": "https://mallory.example"}}, "no setting named url"),
        ({"slug": "simulator"}, "already a rail named simulator"),
    ],
)
def test_what_cannot_be_right_is_refused(changes, sentence):
    with pytest.raises(WrongRail, match=sentence):
        add_rail(**changes)


def test_a_rail_that_cannot_pay_is_no_payees():
    make_decider()
    switch_on(add_rail())
    with pytest.raises(WrongRail, match="stripe cannot pay"):
        paying_rail("stripe")
    with pytest.raises(WrongPayee, match="cannot pay. It can: balance, collect, statement"):
        add_payee(rail="stripe")


def test_testing_a_connection_moves_nothing_and_keeps_the_error(settings):
    vendor = FakeStripe()
    with vendor.serve():
        stand_in(settings, "stripe", vendor.url)
        add_rail(secret="sk_test_wrong")
        account = treasury.test_rail("stripe", actor=ACTOR, now=NOON)
        assert account.last_error == "Stripe answers invalid_request_error: Invalid API Key"
        assert account.enabled_at is None
        treasury.replace_rail_secret("stripe", secret="sk_test_fake", actor=DORA, now=NOON)
        account = treasury.test_rail("stripe", actor=ACTOR, now=NOON)
        assert (account.last_error, account.tested_at) == ("", NOON)
        assert {sent.method for sent in vendor.sent} == {"GET"}


def test_a_live_account_calls_the_vendor_only(settings):
    stand_in(settings, "stripe", "http://127.0.0.1:1")
    connection = connection_of(add_rail(mode="live", secret="sk_live_x"))
    assert (connection.url, connection.networks) == ("https://api.stripe.com", ())
