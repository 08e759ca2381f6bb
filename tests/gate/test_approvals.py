"""Four eyes: a second person decides changes, once, and nothing changes before that."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, ProgrammingError, transaction
from django.urls import reverse
from django.utils import timezone

from alerts import services as alerts
from alerts.models import Alert, Notification
from gate import services as gate
from keys import services as keys
from keys.models import Agent, ApiKey, Limit, Window
from security import services as security
from security.actor import Actor
from security.models import Approval, ApprovalPolicy, AuditEntry
from security.refusals import (
    ApprovalDecided,
    ApprovalOutdated,
    NotADecider,
    NotTheAsker,
    SecondPersonNeeded,
    TooFewDeciders,
)
from tests.actors import ACTOR, GRACE, OLGA
from tests.alerts.builders import channel
from tests.books import assert_books_balance
from tests.gate.approvals import in_force, person
from tests.keys.admin_forms import CONFIRMED, row
from tests.keys.builders import PAID, add_key, limit
from tests.moments import NOON

pytestmark = pytest.mark.django_db
_COUNTS = ("TOTAL", "INITIAL")
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def deciders(people):
    """Two persons who may decide, grace and olga; ada has a daily limit of 1,000 tokens."""
    limit(Agent.objects.get(pk="ada"), 1_000)
    return person("grace"), person("olga")


def propose(amount, *, actor=GRACE, now=NOON, unit="tokens", **terms):
    """Propose a daily limit of ada."""
    return keys.propose_limit(
        Agent.objects.get(pk="ada"),
        terms=keys.Terms(unit=unit, period="day", amount=amount, **terms),
        reason="more work",
        actor=actor,
        now=now,
    )


def approve(approval, *, actor=OLGA, now=LATER):
    return security.approve(approval.pk, reason="fine", actor=actor, now=now)


def amount():
    return Window.objects.get(scope="agent:ada", closed_at=None).amount


def page(name, approval):
    """An address of the page of an approval."""
    return reverse(f"admin:security_approval_{name}", args=[approval.pk])


def test_without_a_policy_one_person_is_enough(people):
    """So an installation with a single administrator works from the start."""
    assert list(ApprovalPolicy.objects.values_list("in_force_since", flat=True)) == [None] * 3
    assert propose(1_000) is None
    assert propose(9_000_000) is None
    assert (
        keys.propose_limit_removal(Limit.objects.get(), reason="x", actor=GRACE, now=NOON) is None
    )
    assert not Approval.objects.exists()


def test_a_rise_above_the_policy_waits_for_a_second_person_and_is_made_then(deciders):
    in_force("limit", tokens_above=Decimal(5_000))
    approval = propose(6_000)
    assert amount() == 1_000
    assert approval.effect.splitlines() == [
        "Now: 1,000 tokens per day, resets at 0:00 UTC.",
        "Then: 6,000 tokens per day, resets at 0:00 UTC.",
    ]
    approve(approval)
    assert amount() == 6_000
    actions = ["approval.approve", "limit.set"]
    last = AuditEntry.objects.about("agent:ada").filter(action__in=actions)[:2]
    assert {(entry.action, entry.actor_name) for entry in last} == {
        (action, "olga") for action in actions
    }
    assert_books_balance()


@pytest.mark.parametrize(
    ("policy", "terms", "waits"),
    [
        ({"tokens_above": Decimal(5_000)}, {"amount": 5_000}, False),
        ({"tokens_above": Decimal(5_000)}, {"amount": 5_001}, True),
        # No threshold for tokens: every rise waits.
        ({"usd_above": Decimal(5)}, {"amount": 1_001}, True),
        # A first limit takes nothing away.
        ({}, {"amount": 5, "unit": "usd"}, False),
        ({"rise_percent_above": 50}, {"amount": 1_500}, False),
        ({"rise_percent_above": 50}, {"amount": 1_501}, True),
        ({}, {"amount": 1_001}, True),
        ({}, {"amount": 999}, False),
        # With what is carried over, a day could have 5,001 tokens.
        ({"tokens_above": Decimal(5_000)}, {"amount": 1_000, "carry_over_max": 4_001}, True),
        ({"tokens_above": Decimal(5_000)}, {"amount": 1_000, "carry_over_max": 4_000}, False),
        # Another calendar begins a new window.
        ({"tokens_above": Decimal(5_000)}, {"amount": 900, "reset_hour": 5}, True),
    ],
)
def test_what_the_policy_says_waits(deciders, policy, terms, waits):
    in_force("limit", **policy)
    assert (propose(**terms) is not None) == waits


def test_an_approved_carry_over_is_in_the_effect_and_set(deciders):
    in_force("limit", tokens_above=Decimal(5_000))
    approval = propose(1_000, carry_over_max=6_000)
    assert approval.effect.splitlines()[1] == (
        "Then: 1,000 tokens per day, resets at 0:00 UTC, carries over up to 6,000 to the next day."
    )
    approve(approval)
    assert Limit.objects.get().carry_over_max == 6_000


def test_the_end_of_a_limit_waits_too(deciders):
    in_force("limit", tokens_above=Decimal(5_000))
    approval = keys.propose_limit_removal(Limit.objects.get(), reason="x", actor=GRACE, now=NOON)
    assert amount() == 1_000
    approve(approval)
    assert not Window.objects.filter(scope="agent:ada", closed_at=None).exists()


def test_who_asks_cannot_decide_also_by_another_account(deciders):
    in_force("limit")
    approval = propose(6_000)
    person("gracie", email="Grace+private@example.org")
    for name in ("grace", "gracie"):
        for verb in (security.approve, security.reject):
            with pytest.raises(SecondPersonNeeded):
                verb(approval.pk, reason="x", actor=Actor.person(name), now=LATER)
    approval.refresh_from_db()
    assert approval.status == "asked"


def test_the_database_refuses_a_decision_by_who_asked(deciders):
    in_force("limit")
    approval = propose(6_000)
    decision = {"status": "approved", "decided_by_name": "x", "decided_at": NOON}
    for who in ([], approval.asked_persons[:1]):
        with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
            Approval.objects.update(**decision, decided_persons=who)


def test_a_decision_is_final(deciders):
    in_force("limit")
    approval = propose(6_000)
    approve(approval)
    for verb in (security.approve, security.reject, security.withdraw):
        with pytest.raises(ApprovalDecided):
            verb(approval.pk, reason="x", actor=OLGA, now=LATER)
    for change in (lambda rows: rows.update(status="rejected"), lambda rows: rows.delete()):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change(Approval.objects.all())


@pytest.mark.parametrize("actor", [Actor.agent("bob"), Actor.command_line(), ACTOR])
def test_only_persons_with_the_permission_decide(deciders, actor):
    in_force("limit")
    person("test", may_decide=False)
    with pytest.raises(NotADecider):
        approve(propose(6_000), actor=actor)


def test_a_policy_can_name_the_group_that_decides(deciders):
    board = Group.objects.create(name="board")
    for user in deciders:
        user.groups.add(board)
    in_force("limit", role="board")
    approval = propose(6_000)
    person("henry")
    with pytest.raises(NotADecider):
        approve(approval, actor=Actor.person("henry"))
    approve(approval)


def test_a_change_whose_basis_is_gone_changes_nothing(deciders):
    in_force("limit", tokens_above=Decimal(5_000))
    approval = propose(6_000)
    assert propose(800) is None
    with pytest.raises(ApprovalOutdated):
        approve(approval)
    assert amount() == 800
    approval.refresh_from_db()
    assert approval.status == "asked"
    assert not AuditEntry.objects.filter(action="approval.approve").exists()


def test_who_asked_can_withdraw_and_nobody_else(deciders):
    in_force("limit")
    approval = propose(6_000)
    with pytest.raises(NotTheAsker):
        security.withdraw(approval.pk, actor=OLGA, now=LATER)
    security.withdraw(approval.pk, actor=GRACE, now=LATER)
    with pytest.raises(ApprovalDecided):
        approve(approval)


def test_what_nobody_decides_expires(deciders):
    in_force("limit")
    approval = propose(6_000)
    with pytest.raises(ApprovalDecided):
        approve(approval, now=approval.expires_at)
    assert security.expire_approvals(now=approval.expires_at) == 1
    assert security.expire_approvals(now=approval.expires_at) == 0
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by) == ("expired", "approvals")


def test_people_are_alerted_while_an_approval_waits(deciders):
    in_force("limit")
    approval = propose(6_000)
    for _ in range(2):
        gate.alert_of_approvals(now=NOON)
    alert = Alert.objects.get()
    assert alert.remedy_path == f"/approvals/{approval.pk}"
    security.reject(approval.pk, reason="no", actor=OLGA, now=LATER)
    gate.alert_of_approvals(now=LATER)
    alert.refresh_from_db()
    assert alert.is_resolved


def test_an_approval_that_waits_for_long_is_told_once_more_as_critical(deciders):
    """Also if the job runs again, and if a person has resolved the alert."""
    in_force("limit")
    approval = propose(6_000)
    for name, severity in (("everything", "info"), ("admins", "critical")):
        channel("json://example.org", name, severity_min=severity)
    day = timedelta(hours=24)
    for now in (NOON, LATER, NOON + day, NOON + day, NOON + 2 * day):
        gate.alert_of_approvals(now=now)
    first, second = Alert.objects.order_by("pk")
    assert (first.kind, first.status) == ("approval_waiting", "resolved")
    assert (second.kind, second.severity) == ("approval_overdue", "critical")
    assert second.remedy_path == f"/approvals/{approval.pk}"
    told = Notification.objects.values_list("alert", "channel__name").order_by("pk")
    # Who may decide is mailed once, of the first.
    people = told.filter(channel__person__isnull=False)
    assert list(people.values_list("alert", "channel__person__username")) == [(first.pk, "olga")]
    assert sorted(told.filter(channel__person=None)) == [
        (first.pk, "everything"),
        (second.pk, "admins"),
        (second.pk, "everything"),
    ]
    alerts.resolve(second.pk, actor=GRACE, now=NOON + 2 * day)
    gate.alert_of_approvals(now=NOON + 2 * day)
    assert Alert.objects.count() == 2
    security.expire_approvals(now=NOON + 7 * day)
    approval.refresh_from_db()
    assert approval.status == "expired"


def test_the_settings_say_when_an_approval_escalates_and_expires(deciders, settings):
    settings.APPROVAL_ESCALATES_HOURS, settings.APPROVAL_EXPIRES_HOURS = 1, 2
    in_force("limit")
    approval = propose(6_000)
    gate.alert_of_approvals(now=LATER)
    assert Alert.objects.get().kind == "approval_overdue"
    assert approval.expires_at == NOON + timedelta(hours=2)
    security.expire_approvals(now=approval.expires_at)
    gate.alert_of_approvals(now=approval.expires_at)
    assert Alert.objects.get().is_resolved


def test_a_policy_in_force_is_changed_by_two_persons(deciders):
    assert in_force("limit") is None
    approval = in_force("limit", in_force=False)
    assert propose(6_000) is not None
    approve(approval)
    assert propose(6_000) is None


def test_a_policy_that_only_one_person_could_fulfil_is_refused(people):
    person("grace")
    person("gracie", email="grace+2@example.org")
    with pytest.raises(TooFewDeciders):
        in_force("limit")
    assert propose(6_000) is None


def test_prices_wait_too(deciders):
    add_key("openai-1")
    in_force("price")
    # As long as a reason may be; who decides is named beside it.
    one = {"reason": "cheaper " * 37, "actor": GRACE, "now": NOON}
    approval = keys.propose_price("openai-1", rates=PAID, **one)
    other = keys.propose_served_models(
        "openai-1", serves=["model-2"], rates={"model-2": PAID}, **one
    )
    assert "Then: input 0.003" in approval.effect
    assert ApiKey.objects.get().price.input == 0
    approve(approval)
    assert ApiKey.objects.get().price.input == Decimal("0.003")
    with pytest.raises(ApprovalOutdated):
        approve(other)
    again = keys.propose_served_models(
        "openai-1", serves=["model-2"], rates={"model-2": PAID}, **one
    )
    approve(again)
    assert ApiKey.objects.get().served_models.filter(model__name="model-2").exists()


def test_the_inbox_shows_the_effect_and_decides(client, deciders):
    in_force("limit")
    approval = propose(6_000, now=timezone.now())
    confirmed = CONFIRMED | {"reason": "fine"}
    for user, decides in zip(deciders, (False, True), strict=True):
        user.user_permissions.add(Permission.objects.get(codename="view_approval"))
        client.force_login(user)
        assert "Then: 6,000 tokens" in client.get(page("change", approval)).content.decode()
        client.post(page("approve_one", approval), confirmed)
        assert (amount() == 6_000) == decides
    assert client.post(page("withdraw_one", approval), confirmed).status_code == 403


def test_the_form_of_limits_asks_and_shows_where(client, deciders):
    in_force("limit")
    client.force_login(get_user_model().objects.create_superuser("root", "root@example.org"))
    changed = row(0, "tokens", "day", 9_000, pk=Limit.objects.get().pk) | {"limits-0-agent": "ada"}
    counts = {f"{name}-{count}_FORMS": 0 for name in ("limits", "tokens") for count in _COUNTS}
    counts |= {f"limits-{count}_FORMS": 1 for count in _COUNTS}
    form = {"name": "Ada", "reason": "more"} | counts | changed
    answer = client.post("/admin/keys/agent/ada/change/", form, follow=True).content.decode()
    approval = Approval.objects.get()
    assert f'/approvals/{approval.pk}"' in answer
    assert amount() == 1_000


def test_the_list_of_policies_says_them_in_words(client, deciders):
    client.force_login(get_user_model().objects.create_superuser("root", "root@example.org"))
    in_force("budget_request", usd_above=Decimal(5), rise_percent_above=50)
    page = client.get("/admin/security/approvalpolicy/").content.decode()
    for words in (
        "Budget request</a>",
        "A limit of an API key, an agent or a cost centre is set, raised or removed.</a>",
        "not in force",
        "no second person is needed",
        "above 5 USD or 50 percent of the limit two persons approve, and one person below",
    ):
        assert words in page
    policy = ApprovalPolicy.objects.get(kind="limit")
    page = client.get(f"/admin/security/approvalpolicy/{policy.pk}/change/").content.decode()
    assert "USD above" in page


def test_who_may_only_look_sees_a_policy(client, deciders):
    user = deciders[0]
    user.user_permissions.add(Permission.objects.get(codename="view_approvalpolicy"))
    client.force_login(user)
    policy = ApprovalPolicy.objects.get(kind="limit")
    assert client.get(f"/admin/security/approvalpolicy/{policy.pk}/change/").status_code == 200


def test_policies_are_set_in_the_admin(client, deciders):
    client.force_login(get_user_model().objects.create_superuser("root", "root@example.org"))
    policy = ApprovalPolicy.objects.get(kind="limit")
    address = f"/admin/security/approvalpolicy/{policy.pk}/change/"
    client.post(address, {"in_force": "on", "tokens_above": "5000", "reason": "four eyes"})
    policy.refresh_from_db()
    assert policy.tokens_above == 5_000
    client.post(address, {"tokens_above": "", "reason": "no more"})
    assert Approval.objects.get().kind == "policy"
    policy.refresh_from_db()
    assert policy.in_force_since
