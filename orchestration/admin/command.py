"""Commands: which programs may be run as sub-agents. Superusers alone write them."""

from django import forms
from django.contrib import admin
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

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
)
_RULE = (
    "Butler runs this program on its own machine, as its own user, without a shell, in a folder of "
    "its own. docs/runners.md has what works for Claude Code and Codex. No secret belongs here: "
    "{token} is the secret of the attempt's budget, and is good until that is used up."
)


class CommandForm(forms.ModelForm):
    """One line per argument, one line per variable."""

    argv = forms.CharField(
        label="Program and arguments",
        strip=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text="One per line: each line is one argument, spaces and quotes as they are.",
    )
    environment = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(),
        help_text="NAME=value, one per line, besides PATH, HOME, LANG and TMPDIR.",
    )
    enabled = forms.BooleanField(required=False, initial=True)
    reason = forms.CharField(
        label="Reason",
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Kept in the history with your name.",
    )

    class Meta:
        model = Command
        fields = ("slug", *_TERMS)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            variables = self.instance.environment.items()
            self.initial["argv"] = "\n".join(self.instance.argv)
            self.initial["environment"] = "\n".join(f"{name}={value}" for name, value in variables)
            self.initial["enabled"] = self.instance.disabled_at is None

    def clean_argv(self):
        """The lines; an empty one at the end is none."""
        return self.cleaned_data["argv"].replace("\r\n", "\n").strip("\n").split("\n")

    def clean_environment(self):
        """Names and values."""
        lines = [line for line in self.cleaned_data["environment"].splitlines() if line.strip()]
        if any("=" not in line for line in lines):
            raise forms.ValidationError("Every line is NAME=value.")
        return dict(line.split("=", 1) for line in lines)

    @property
    def terms(self) -> CommandTerms:
        """What was written, as the service takes it."""
        return CommandTerms(**{name: self.cleaned_data[name] for name in (*_TERMS, "enabled")})

    def clean(self):
        """As the service checks it, so that the words stand beside the field."""
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
    list_display = ("slug", "program", "wire_format", "prompt_by", "result_from", "enabled")
    search_fields = ("slug__startswith",)
    ordering = ("slug",)
    fieldsets = ((None, {"fields": ("slug", *_TERMS, "enabled", "reason"), "description": _RULE}),)

    def has_add_permission(self, request):
        """Whoever writes a command can run anything."""
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        """As for adding."""
        return request.user.is_superuser

    def get_readonly_fields(self, request, obj=None):
        """Its slug is its name for life."""
        return ("slug",) if obj else ()

    def save_model(self, request, obj, form, change):
        """Hand what was written to the service."""
        set_command(
            obj.pk,
            terms=form.terms,
            reason=form.cleaned_data["reason"],
            actor=person_of(request),
            now=timezone.now(),
        )

    @display(description="Program")
    def program(self, command):
        """What is run."""
        return " ".join(command.argv)

    @display(description="Enabled", boolean=True)
    def enabled(self, command):
        """Whether it may be run."""
        return command.disabled_at is None
