"""Channels: a URL can be stored, but is never shown."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminPasswordWidget

from alerts import apprise_transport, kinds, queries, services
from alerts.models import Channel
from common import links
from common.admin.dialogs import perform, redirect_to
from common.admin.lists import QuickList
from security.request_actor import person_of

_TEST = {"title": "Send a test message", "description": "The delivery log shows the result."}
_DISABLE = {
    "title": "Disable this channel",
    "description": "Notifications that wait for it are given up.",
}
_ENABLE = {
    "title": "Enable this channel",
    "description": "It gets alerts that are raised from now on.",
}


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

    def clean_url(self) -> str:
        """Refuse what Apprise cannot use, without repeating it."""
        url: str = self.cleaned_data["url"]
        if not url and self.instance._state.adding:
            raise forms.ValidationError("A new channel needs a URL.", code="required")
        if url and not apprise_transport.is_usable(url):
            raise forms.ValidationError("Apprise cannot use this URL.", code="channel_url_unusable")
        return url


@admin.register(Channel)
class ChannelAdmin(QuickList):
    """Channels with a test button; switched off rather than deleted, so the log stays."""

    form = ChannelForm
    list_display = ("name", "severity_min", "status_label", "waiting", "given_up", "rests_until")
    list_filter = ("severity_min",)
    search_fields = ("name",)
    readonly_fields = ("created_at", "disabled_at", "failures", "rests_until")
    actions_row = ("send_test",)
    actions_detail = ("send_test", "disable", "enable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        """With the numbers of waiting and given-up notifications."""
        return queries.channels_with_counts().order_by("name")

    @method_decorator(sensitive_post_parameters("url"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """As always, with the URL kept out of error reports."""
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return response

    def save_model(
        self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool
    ) -> None:
        """Add or change the channel by the services."""
        by: dict[str, Any] = {"actor": person_of(request), "now": timezone.now()}
        wanted: dict[str, Any] = {
            name: form.cleaned_data[name] for name in ("name", "severity_min", "kinds")
        }
        url = form.cleaned_data["url"]
        if not change:
            # Django's log entry and redirect go by the primary key of `obj`.
            obj.pk = services.add_channel(url=url, **wanted, **by).pk
            return
        services.change_channel(obj.pk, **wanted, **by)
        if url:
            services.change_channel_url(obj.pk, url=url, **by)

    @display(description="Status", label={"enabled": "success", "disabled": "danger"})
    def status_label(self, channel: Channel) -> str:
        """`enabled` or `disabled`."""
        return "disabled" if channel.disabled_at else "enabled"

    @display(description="Waiting")
    def waiting(self, channel: Any) -> int:
        """Notifications still to be sent."""
        return int(channel.waiting_count)

    @display(description="Given up")
    def given_up(self, channel: Any) -> int:
        """Notifications that never got through."""
        return int(channel.given_up_count)

    @action(description="Send a test", permissions=["change"], dialog=_TEST)
    def send_test(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Queue a test message and show the delivery log."""
        return self._perform(
            request, services.test_channel, object_id, "A test message is on its way."
        )

    @action(description="Disable", permissions=["change"], dialog=_DISABLE)
    def disable(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Disable the channel."""
        return self._perform(request, services.disable_channel, object_id, "Disabled.")

    @action(description="Enable", permissions=["change"], dialog=_ENABLE)
    def enable(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Enable the channel."""
        return self._perform(request, services.enable_channel, object_id, "Enabled.")

    def _perform(
        self, request: HttpRequest, service: Callable[..., object], channel_id: str, done: str
    ) -> HttpResponse:
        verb = partial(service, channel_id, actor=person_of(request), now=timezone.now())
        perform(request, verb, success=done)
        return redirect_to(request, links.url("notifications", channel=channel_id))
