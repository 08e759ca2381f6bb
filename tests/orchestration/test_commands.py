"""Commands: who may write them, and what is refused before it can be run."""

from importlib import import_module

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import DatabaseError, transaction
from django.urls import reverse

from keys.refusals import WrongValue
from orchestration import runners, services
from orchestration.models import Command
from orchestration.refusals import RunnerNotFound
from orchestration.runners.placeholders import ReadAsAnOption, fill, fill_argv
from security.models import AuditEntry
from tests.actors import GRACE
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def set_command(slug="agent", *, reason="test", now=NOON, **terms):
    """Add or change a command."""
    usual = {"argv": ["/bin/cat"], "wire_format": "openai"}
    terms = services.CommandTerms(**{**usual, **terms})
    return services.set_command(slug, terms=terms, reason=reason, actor=GRACE, now=now)


def refused_field(**terms):
    """The field that the refusal of these terms names."""
    with pytest.raises(WrongValue) as caught:
        set_command(**terms)
    assert not Command.objects.exists()
    return caught.value.field


def test_a_command_is_kept_as_it_was_written_with_who_and_why():
    argv = ["/bin/agent", "--say={prompt}", 'model="{model}"', 'x={y="z"}']
    terms = {
        "argv": argv,
        "prompt_by": "argument",
        "environment": {"BASE": "{gateway_url}/x", "TOKEN": "{token}"},
        "refusal_status": 400,
        "result_from": "json",
        "result_path": "a.b",
    }
    command = set_command(reason="try it", **terms)
    command.refresh_from_db()
    assert {name: getattr(command, name) for name in terms} == terms
    change = AuditEntry.objects.about("command:agent").get()
    assert (change.action, change.actor, change.reason) == ("command.add", "grace", "try it")
    assert change.before is None
    assert change.after["argv"] == argv


def test_a_change_has_before_and_after():
    set_command()
    set_command(argv=["/bin/echo"], reason="better", enabled=False)
    change = AuditEntry.objects.about("command:agent").first()
    assert change.action == "command.change"
    assert (change.before["argv"], change.after["argv"]) == (["/bin/cat"], ["/bin/echo"])
    assert (change.before["enabled"], change.after["enabled"]) == (True, False)
    assert Command.objects.get().disabled_at == NOON


def test_changes_are_written_once():
    set_command()
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.update(reason="x")
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.all().delete()
    assert AuditEntry.objects.get().reason == "test"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [""],
        [" "],
        ["{prompt}"],
        ["{workdir}/run"],
        ["/bin/x", "{token}"],
        ["/bin/x", "{tokens}"],
        ["/bin/x", "a\0b"],
        # By standard input is meant.
        ["/bin/x", "--", "{prompt}"],
        ["/bin/x", "{prompt_file}"],
    ],
)
def test_a_program_that_could_not_be_run_is_refused(argv):
    assert refused_field(argv=argv) == "argv"


@pytest.mark.parametrize(
    "arguments",
    [["{prompt}"], ["-p", "{prompt}"], ["{prompt}", "--"], ["{prompt}x"], [], ["{prompt_file}"]],
)
def test_a_prompt_that_could_become_an_option_or_is_not_there_is_refused(arguments):
    assert refused_field(argv=["/bin/x", *arguments], prompt_by="argument") == "argv"


def test_a_prompt_by_file_names_the_file():
    assert refused_field(argv=["/bin/x"], prompt_by="file") == "argv"
    assert set_command(argv=["/bin/x", "{prompt_file}"], prompt_by="file").pk == "agent"


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("environment", {"environment": {"A B": "x"}}),
        ("environment", {"environment": {"A=B": "x"}}),
        ("environment", {"environment": {"": "x"}}),
        ("environment", {"environment": {"A": "{prompt}"}}),
        ("environment", {"environment": {"A": 1}}),
        ("environment", {"environment": ["A"]}),
        ("environment", {"environment": {"A": "\0"}}),
        ("wire_format", {"wire_format": ""}),
        ("refusal_status", {"refusal_status": 200}),
        ("prompt_by", {"prompt_by": "pigeon"}),
        ("result_from", {"result_from": "tea leaves"}),
        ("result_path", {"result_path": "x"}),
        ("result_path", {"result_from": "json"}),
        ("result_path", {"result_from": "file", "result_path": "../x"}),
        ("result_path", {"result_from": "file", "result_path": "/etc/passwd"}),
        ("result_path", {"result_from": "file", "result_path": ".."}),
        ("output_bytes_max", {"output_bytes_max": 0}),
        ("output_bytes_max", {"output_bytes_max": 10_000_001}),
        ("read_only_folders", {"read_only_folders": ["relative"]}),
        ("read_only_folders", {"read_only_folders": ["/"]}),
        ("read_only_folders", {"read_only_folders": ["/tmp"]}),  # noqa: S108  refused
        ("read_only_folders", {"read_only_folders": ["/opt/\0"]}),
        ("read_only_folders", {"read_only_folders": [str(settings.VAR_DIR)]}),
        ("read_only_folders", {"read_only_folders": [f"{settings.VAR_DIR}/work"]}),
        ("read_only_folders", {"read_only_folders": [f"{settings.BASE_DIR}/tests/.."]}),
        ("memory_bytes_max", {"memory_bytes_max": 0}),
        ("processes_max", {"processes_max": 0}),
        ("folder_bytes_max", {"folder_bytes_max": 0}),
        ("slug", {"slug": "A b"}),
        ("slug", {"slug": ""}),
        ("reason", {"reason": " "}),
    ],
)
def test_what_cannot_be_meant_is_refused_by_field(field, terms):
    assert refused_field(**terms) == field


@pytest.mark.parametrize(
    ("terms", "agents"),
    [
        ({}, set()),
        ({"agents": ["ada"]}, {"ada"}),
        ({"cost_centres": ["research"]}, {"ada", "bob"}),
        ({"agents": ["carol"], "cost_centres": ["research"]}, {"ada", "bob", "carol"}),
        ({"cost_centres": ["org"]}, {"ada", "bob", "carol"}),
        ({"cost_centres": ["org"], "enabled": False}, set()),
    ],
)
def test_only_those_on_its_lists_may_choose_it(people, terms, agents):
    set_command(**terms)
    for agent in ("ada", "bob", "carol", "nobody"):
        if agent in agents:
            assert runners.terms("command:agent", agent=agent).wire_format == "openai"
        else:
            with pytest.raises(RunnerNotFound) as refused:
                runners.check("command:agent", agent=agent)
            assert "command:agent" not in refused.value.runners


def test_its_lists_are_audited_and_can_be_emptied(people):
    set_command(agents=["bob", "ada"], cost_centres=["sales"])
    set_command()
    change = AuditEntry.objects.about("command:agent").first()
    assert (change.before["agents"], change.before["cost_centres"]) == (["ada", "bob"], ["sales"])
    assert (change.after["agents"], change.after["cost_centres"]) == ([], [])


@pytest.mark.parametrize("field", ["agents", "cost_centres"])
def test_only_what_exists_can_be_on_its_lists(people, field):
    assert refused_field(**{field: ["nobody"]}) == field


def test_commands_from_before_the_lists_stay_open_to_all(people):
    set_command()
    import_module("orchestration.migrations.0004_who_may_use_commands").open_to_all(apps, None)
    assert Command.objects.open_to("carol").exists()


def test_values_are_filled_in_once():
    values = {"prompt": "{token}", "token": "secret"}
    assert fill("<{prompt}> {token} {{x}}", values | {"x": "1"}) == "<{token}> secret {1}"


@pytest.mark.parametrize("value", ["-", "--", "-x", "--force=yes"])
def test_a_value_in_front_is_no_option_unless_options_are_over(value):
    with pytest.raises(ReadAsAnOption):
        fill_argv(["x", "{model}"], {"model": value})
    assert fill_argv(["x", "--", "{model}"], {"model": value}) == ["x", "--", value]
    assert fill_argv(["x", "--m={model}"], {"model": value}) == ["x", f"--m={value}"]


FORM = {
    "slug": "agent",
    "argv": "/bin/agent\r\n--say\r\n two words \r\n",
    "prompt_by": "stdin",
    "environment": "BASE={gateway_url}\r\nODD=a=b\r\n",
    "wire_format": "anthropic",
    "refusal_status": "",
    "result_from": "stdout",
    "result_path": "",
    "output_bytes_max": "5000",
    "read_only_folders": "/opt/agents\r\n\r\n",
    "memory_bytes_max": "4000000",
    "processes_max": "10",
    "folder_bytes_max": "5000",
    "unfenced_because": "",
    "agents": ["ada"],
    "cost_centres": ["research"],
    "enabled": "on",
    "reason": "try it",
}


@pytest.fixture
def staff(client, people):
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


def test_a_superuser_writes_and_changes_one_in_the_admin(staff):
    page = reverse("admin:orchestration_command_add")
    assert staff.get(page).status_code == 200
    assert staff.post(page, FORM).status_code == 302
    command = Command.objects.get()
    assert command.argv == ["/bin/agent", "--say", " two words "]
    assert (command.read_only_folders, command.processes_max) == (["/opt/agents"], 10)
    assert command.agents.get().pk == "ada"
    assert command.cost_centres.get().pk == "research"
    assert command.environment == {"BASE": "{gateway_url}", "ODD": "a=b"}
    assert (command.refusal_status, command.disabled_at) == (None, None)
    page = reverse("admin:orchestration_command_change", args=["agent"])
    shown = staff.get(page).content.decode()
    assert "ODD=a=b" in shown
    without = {name: value for name, value in FORM.items() if name not in ("slug", "enabled")}
    assert staff.post(page, without | {"argv": "/bin/other"}).status_code == 302
    command.refresh_from_db()
    assert (command.argv, command.disabled_at is None) == (["/bin/other"], False)
    entry = AuditEntry.objects.about("command:agent").first()
    assert (entry.actor, entry.actor_kind, entry.address) == ("grace", "person", "127.0.0.1")
    assert staff.get(reverse("admin:orchestration_command_changelist")).status_code == 200


def test_the_fence_is_switched_off_by_a_reason_that_is_noted_and_shown(staff):
    page = reverse("admin:orchestration_command_add")
    because = "it builds container images"
    assert staff.post(page, FORM | {"unfenced_because": because}).status_code == 302
    entry = AuditEntry.objects.about("command:agent").get()
    assert (entry.actor, entry.after["unfenced_because"]) == ("grace", because)
    shown = staff.get(reverse("admin:orchestration_command_change", args=["agent"]))
    assert because in shown.content.decode()


def test_the_form_says_what_is_wrong_beside_the_field(staff):
    page = reverse("admin:orchestration_command_add")
    answer = staff.post(page, FORM | {"argv": "/bin/x\n{token}"})
    assert answer.status_code == 200
    assert "argv" in answer.context["adminform"].form.errors
    answer = staff.post(page, FORM | {"environment": "nothing"})
    assert "environment" in answer.context["adminform"].form.errors
    assert not Command.objects.exists()


def test_nobody_else_writes_one_whatever_they_may(client):
    set_command()
    carol = get_user_model().objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(Permission.objects.filter(codename__endswith="_command"))
    client.force_login(carol)
    change = reverse("admin:orchestration_command_change", args=["agent"])
    assert client.post(reverse("admin:orchestration_command_add"), FORM).status_code == 403
    assert client.post(change, FORM).status_code == 403
    assert client.get(change).status_code == 200
    assert AuditEntry.objects.count() == 1
