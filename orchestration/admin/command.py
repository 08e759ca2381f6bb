"""Commands: the programs that may run as sub-agents. Only superusers may change them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from common.admin.dialogs import reason_field
from common.admin.service_forms import ServiceAdmin
from keys.refusals import WrongValue
from orchestration.models import Command
from orchestration.services.commands import CommandTerms, set_command
from security.request_actor import person_of

_TERMS = (
    "argv",
    "prompt_by",
    "environment",
    "wire_format",
    "refusal_status",
    "result_from",
    "result_path",
    "output_bytes_max",
    "read_only_folders",
    "memory_bytes_max",
    "processes_max",
    "folder_bytes_max",
    "unfenced_because",
)
_MAY_USE = ("agents", "cost_centres")
_RULE = (
    "Butler runs this program on its own machine, without a shell, in a fence: it can write only "
    "in an empty folder and reach only the gateway. docs/runners.md has settings for Claude Code "
    "and Codex. Do not enter secrets: {token} stands for the session token of the attempt, which "
    "works until its budget is used up."
)


class CommandForm(forms.ModelForm):
    """A command with one line per argument and one line per variable."""

    argv = forms.CharField(
        label="Program and arguments",
        strip=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text="Enter one argument per line. Spaces and quotes are part of the argument.",
    )
    environment = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text="Enter one NAME=value per line. PATH, HOME, LANG and TMPDIR are always set.",
    )
    read_only_folders = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text="Enter one full path per line. The program can read these folders, besides /usr.",
    )
    enabled = forms.BooleanField(required=False, initial=True)
    reason = reason_field()

    class Meta:
        model = Command
        fields = ("slug", *_TERMS, *_MAY_USE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            variables = self.instance.environment.items()
            self.initial["argv"] = "\n".join(self.instance.argv)
            self.initial["environment"] = "\n".join(f"{name}={value}" for name, value in variables)
            self.initial["read_only_folders"] = "\n".join(self.instance.read_only_folders)
            self.initial["enabled"] = self.instance.disabled_at is None

    def clean_argv(self) -> Any:
        """The arguments; empty lines at the end are dropped."""
        return self.cleaned_data["argv"].replace("\r\n", "\n").strip("\n").split("\n")

    def clean_environment(self) -> Any:
        """The variables by name."""
        lines = [line for line in self.cleaned_data["environment"].splitlines() if line.strip()]
        if any("=" not in line for line in lines):
            raise forms.ValidationError("Each line must have the form NAME=value.")
        return dict(line.split("=", 1) for line in lines)

    def clean_read_only_folders(self) -> Any:
        """The folders; empty lines are dropped."""
        return [
            line for line in self.cleaned_data["read_only_folders"].splitlines() if line.strip()
        ]

    @property
    def terms(self) -> CommandTerms:
        """The input in the form that the service takes."""
        values = {name: self.cleaned_data[name] for name in (*_TERMS, "enabled")}
        for name in _MAY_USE:
            values[name] = [row.pk for row in self.cleaned_data[name]]
        return CommandTerms(**values)

    def clean(self) -> dict[str, Any]:
        """The service's check, so that its message appears beside the field."""
        super().clean()
        if not self.errors:
            try:
                self.terms.check()
            except WrongValue as refusal:
                self.add_error(refusal.field, refusal.detail)
        return self.cleaned_data


@admin.register(Command)
class CommandAdmin(ServiceAdmin):
    """Command-line agents."""

    form = CommandForm
    list_display = (
        "slug",
        "program",
        "wire_format",
        "result_from",
        "fenced",
        "enabled",
    )
    search_fields = ("slug__startswith",)
    autocomplete_fields = _MAY_USE
    ordering = ("slug",)
    fieldsets = (
        (None, {"fields": ("slug", *_TERMS, *_MAY_USE, "enabled", "reason"), "description": _RULE}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only: a command can run any program."""
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Superusers only, as for adding."""
        return request.user.is_superuser

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        """The slug of an existing command cannot change."""
        return ("slug",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Hand the input to the service."""
        set_command(
            obj.pk,
            terms=form.terms,
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )

    @display(description="Program")
    def program(self, command: Command) -> SafeString | str:
        """The program and its arguments."""
        return " ".join(command.argv)

    @display(description="Fenced", boolean=True)
    def fenced(self, command: Command) -> bool:
        """Whether the command runs in a fence."""
        return not command.unfenced_because

    @display(description="Enabled", boolean=True)
    def enabled(self, command: Command) -> bool:
        """Whether the command may run."""
        return command.disabled_at is None
