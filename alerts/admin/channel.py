"""Channels: the URL is written, never shown."""

from functools import partial

from django import forms
from django.contrib import admin
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminPasswordWidget

from alerts import apprise_transport, kinds, queries, services
from alerts.models import Channel
from common import links
from common.admin.dialogs import perform, redirect_to
from security.request_actor import person_of

_TEST = {"title": "Send a test message", "description": "The result is in the delivery log."}
_DISABLE = {"title": "Disable this channel", "description": "What waits on it is given up."}
_ENABLE = {"title": "Enable this channel", "description": "It gets alerts from now on."}


def _kind_choices() -> list[tuple[str, str]]:
    return [(slug, slug.replace("_", " ")) for slug in sorted(kinds.all_kinds())]


class ChannelForm(forms.ModelForm):
    """A channel; its URL may be left empty to keep the one it has."""

    kinds = forms.MultipleChoiceField(
        required=False,
        choices=_kind_choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="The channel gets only alerts of the kinds ticked here. If none is ticked, it "
        "gets alerts of every kind.",
    )
    url = forms.CharField(
        label="Apprise URL",
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Such as mailto://…, slack://…, json://…. Stored sealed and never shown again; "
        "leave empty to keep it.",
    )

    class Meta:
        model = Channel
        fields = ("name", "severity_min", "kinds")

    def clean_url(self):
        """Refuse what Apprise cannot use, without repeating it."""
        url = self.cleaned_data["url"]
        if not url and self.instance._state.adding:
            raise forms.ValidationError("A new channel needs a URL.", code="required")
        if url and not apprise_transport.usable(url):
            raise forms.ValidationError(
                "This is no URL that Apprise can use.", code="channel_url_unusable"
            )
        return url


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    """Channels with a test button; switched off rather than deleted, so the log stays."""

    form = ChannelForm
    list_display = ("name", "severity_min", "shown_state", "waiting", "given_up", "rests_until")
    list_filter = ("severity_min",)
    search_fields = ("name",)
    readonly_fields = ("created_at", "disabled_at", "failures", "rests_until")
    actions_row = ("send_test",)
    actions_detail = ("send_test", "disable", "enable")

    def get_queryset(self, request):
        """With what waits and what was given up."""
        return queries.channels_with_counts().order_by("name")

    def has_delete_permission(self, request, obj=None):
        """Its delivery log would go with it."""
        return False

    @method_decorator(sensitive_post_parameters("url"))
    def changeform_view(self, request, *args, **kwargs):
        """As always, with the URL kept out of error reports."""
        return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request, obj, form, change):
        """Hand what was written to the services."""
        by = {"actor": person_of(request), "now": timezone.now()}
        wanted = {name: form.cleaned_data[name] for name in ("name", "severity_min", "kinds")}
        url = form.cleaned_data["url"]
        if not change:
            # Django's log entry and redirect go by the primary key of `obj`.
            obj.pk = services.add_channel(url=url, **wanted, **by).pk
            return
        services.change_channel(obj.pk, **wanted, **by)
        if url:
            services.change_channel_url(obj.pk, url=url, **by)

    @display(description="Status", label={"enabled": "success", "disabled": "danger"})
    def shown_state(self, channel):
        """Whether it is switched on."""
        return "disabled" if channel.disabled_at else "enabled"

    @display(description="Waiting")
    def waiting(self, channel):
        """Notifications still to be sent."""
        return channel.waiting_count

    @display(description="Given up")
    def given_up(self, channel):
        """Notifications that never got through."""
        return channel.given_up_count

    @action(description="Send a test", permissions=["change"], dialog=_TEST)
    def send_test(self, request, form, object_id):
        """Queue a test message and show the delivery log."""
        return self._done(
            request, services.test_channel, object_id, "A test message is on its way."
        )

    @action(description="Disable", permissions=["change"], dialog=_DISABLE)
    def disable(self, request, form, object_id):
        """Switch it off."""
        return self._done(request, services.disable_channel, object_id, "Disabled.")

    @action(description="Enable", permissions=["change"], dialog=_ENABLE)
    def enable(self, request, form, object_id):
        """Switch it on."""
        return self._done(request, services.enable_channel, object_id, "Enabled.")

    def _done(self, request, service, channel_id, done):
        verb = partial(service, channel_id, actor=person_of(request), now=timezone.now())
        perform(request, verb, success=done)
        return redirect_to(request, links.url("notifications", channel=channel_id))
