"""Channels: their URLs can be entered but are never shown."""

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

from alerts import kinds, queries, services
from alerts.models import Channel
from alerts.services.channels import is_usable
from common import links
from common.admin.dialogs import perform, redirect_to
from common.admin.lists import QuickList
from common.admin.visible_rows import visible_to
from security.request_actor import person_of

_TEST = {"title": "Send a test message", "description": "The delivery log shows the result."}
_DISABLE = {
    "title": "Disable this channel",
    "description": "Butler discards the notifications that still wait for this channel.",
}
_ENABLE = {
    "title": "Enable this channel",
    "description": "The channel gets alerts that are raised from now on.",
}


def _kind_choices() -> list[tuple[str, str]]:
    return [(slug, slug.replace("_", " ")) for slug in sorted(kinds.all_kinds())]


class ChannelForm(forms.ModelForm):
    """The form of a channel. An empty URL keeps the current one."""

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
        help_text="A URL for Apprise, such as mailto://…, slack://… or json://…. Butler stores it "
        "sealed and never shows it again. Leave it empty to keep the current URL.",
    )

    class Meta:
        model = Channel
        fields = ("name", "severity_min", "kinds")

    def clean_url(self) -> str:
        """Refuse a URL that Apprise cannot use, without repeating it in the message."""
        url: str = self.cleaned_data["url"]
        if not url and self.instance._state.adding:
            raise forms.ValidationError("Enter a URL for the new channel.", code="required")
        if url and not is_usable(url):
            raise forms.ValidationError(
                "Butler cannot use this URL. Check its scheme and its parts.",
                code="channel_url_unusable",
            )
        return url


@admin.register(Channel)
class ChannelAdmin(QuickList):
    """Channels with a test button. They are disabled, not deleted, so the delivery log stays."""

    form = ChannelForm
    list_display = ("name", "severity_min", "status_label", "waiting", "given_up", "rests_until")
    list_filter = ("severity_min",)
    search_fields = ("name",)
    readonly_fields = ("created_at", "disabled_at", "failures", "rests_until")
    actions_row = ("send_test",)
    actions_detail = ("send_test", "disable", "enable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        """Channels with their numbers of waiting and given-up notifications."""
        return visible_to(request.user, queries.channels_with_counts().order_by("name"))

    @method_decorator(sensitive_post_parameters("url"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of a channel. Error reports do not contain the URL."""
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
            # Django's log entry and redirect use the primary key of `obj`.
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
        """The number of notifications still to be sent."""
        return int(channel.waiting_count)

    @display(description="Given up")
    def given_up(self, channel: Any) -> int:
        """The number of notifications that were not delivered."""
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
        return self._perform(request, services.disable_channel, object_id, "Channel disabled.")

    @action(description="Enable", permissions=["change"], dialog=_ENABLE)
    def enable(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        """Enable the channel."""
        return self._perform(request, services.enable_channel, object_id, "Channel enabled.")

    def _perform(
        self, request: HttpRequest, service: Callable[..., object], channel_id: str, success: str
    ) -> HttpResponse:
        verb = partial(service, channel_id, actor=person_of(request), now=timezone.now())
        perform(request, verb, success=success)
        return redirect_to(request, links.url("recorded_notifications", channel=channel_id))
