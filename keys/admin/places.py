"""Dialogs that move, close, reopen and rename cost centres and agents, and hide API keys.

What is open stands in the way: the service names it, and a box says that it ends. People who are
bound to a part of the tree move within it, and never its top.
"""

from functools import partial
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from common import links
from common.admin.dialogs import ReasonForm, perform, reason_field, redirect_to
from common.admin.visible_rows import visible_to
from keys import services as keys
from keys.models import CostCentre
from security.request_actor import person_of


def _ends_field() -> forms.BooleanField:
    return forms.BooleanField(
        label="End open sessions and tasks",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Otherwise they stand in the way, and nothing changes. Calls in flight go on, "
        "and are paid where they started.",
    )


class MoveCentreForm(BaseDialogForm):
    """Asks below which cost centre it is from now on."""

    parent = forms.ModelChoiceField(
        CostCentre.objects.none(),
        label="Below",
        required=False,
        empty_label="at the top",
        widget=UnfoldAdminSelectWidget(),
    )
    end_open_work = _ends_field()
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        rows = CostCentre.objects.open()
        seen = visible_to(request.user, rows)
        centre = CostCentre.objects.filter(pk=object_id).first()
        parent: Any = self.fields["parent"]
        parent.queryset = seen.exclude(path__contains=[object_id]).order_by("path")
        parent.required = seen is not rows
        if parent.required and centre and not seen.filter(pk=centre.parent_id).exists():
            # The place that it leaves is not theirs.
            parent.queryset = CostCentre.objects.none()


class CloseCentreForm(BaseDialogForm):
    """Asks what becomes of the agents."""

    agents_to = forms.ModelChoiceField(
        CostCentre.objects.none(),
        label="Move its agents to",
        required=False,
        empty_label="nowhere: switch them off",
        widget=UnfoldAdminSelectWidget(),
    )
    end_open_work = _ends_field()
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        others = CostCentre.objects.open().exclude(path__contains=[object_id]).order_by("path")
        to: Any = self.fields["agents_to"]
        to.queryset = visible_to(request.user, others)


class MoveAgentForm(BaseDialogForm):
    """Asks which cost centre pays from now on."""

    cost_centre = forms.ModelChoiceField(
        CostCentre.objects.none(),
        label="Cost centre that pays from now on",
        widget=UnfoldAdminSelectWidget(),
    )
    end_open_work = _ends_field()
    reason = reason_field()

    def __init__(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        to: Any = self.fields["cost_centre"]
        to.queryset = visible_to(request.user, CostCentre.objects.open().order_by("path"))


class RenameForm(BaseDialogForm):
    """Asks for another name on pages."""

    name = forms.CharField(
        label="Name on pages", max_length=200, widget=UnfoldAdminTextInputWidget()
    )
    reason = reason_field()


_MOVE_CENTRE = {
    "title": "Move this cost centre",
    "description": "It gets another place in the tree, with all below it, from now on. What was "
    "spent stays in the budgets and reports of those above it until now.",
    "form_class": MoveCentreForm,
}
_CLOSE = {
    "title": "Close this cost centre",
    "description": "It pays for nothing new, with all below it, and is offered nowhere. What was "
    "spent stays in its reports and statements.",
    "form_class": CloseCentreForm,
}
_REOPEN = {
    "title": "Reopen this cost centre",
    "description": "It may pay again. Those below it stay closed, and its agents switched off.",
    "form_class": ReasonForm,
}
_MOVE_AGENT = {
    "title": "Move this agent",
    "description": "Another cost centre pays from now on. What the agent spent stays with the one "
    "that paid for it.",
    "form_class": MoveAgentForm,
}
_RENAME = {
    "title": "Give it another name",
    "description": "Pages show the new name. The name in the API stays.",
    "form_class": RenameForm,
}
_HIDE = {
    "title": "Hide this key",
    "description": "A key that was never lent is taken out of lists and choices, and paused.",
    "form_class": ReasonForm,
}
_SHOW = {
    "title": "Show this key again",
    "description": "Lists and choices have the key again. It stays paused until it is switched on.",
    "form_class": ReasonForm,
}


def _perform(
    request: HttpRequest, form: BaseDialogForm, service: Any, page: tuple[str, str], success: str
) -> HttpResponse:
    """Call the service in the name of the user, then return to the page of the row."""
    by = {"reason": form.cleaned_data["reason"], "actor": person_of(request)}
    perform(request, partial(service, page[1], **by, now=timezone.now()), success=success)
    return redirect_to(request, links.url(*page))


def _open_work(form: BaseDialogForm) -> keys.OpenWorkRule:
    ends = form.cleaned_data["end_open_work"]
    return keys.OpenWorkRule.END if ends else keys.OpenWorkRule.REFUSE


class CentrePlaces:
    """What people with the permission to change cost centres do to their place and name."""

    actions_of_place = ("move", "rename", "close", "reopen")

    @action(description="Move", permissions=["change"], dialog=_MOVE_CENTRE)
    def move(self, request: HttpRequest, form: MoveCentreForm, object_id: str) -> HttpResponse:
        """Put it under another one."""
        to = form.cleaned_data["parent"]
        verb = partial(
            keys.move_cost_centre, parent=to.pk if to else "", open_work=_open_work(form)
        )
        return _perform(request, form, verb, ("centre", object_id), "The cost centre was moved.")

    @action(description="Rename", permissions=["change"], dialog=_RENAME)
    def rename(self, request: HttpRequest, form: RenameForm, object_id: str) -> HttpResponse:
        """Give it another name on pages."""
        verb = partial(keys.rename_cost_centre, name=form.cleaned_data["name"])
        return _perform(request, form, verb, ("centre", object_id), "The cost centre was renamed.")

    @action(description="Close", permissions=["change"], dialog=_CLOSE)
    def close(self, request: HttpRequest, form: CloseCentreForm, object_id: str) -> HttpResponse:
        """Close it with all below it."""
        to = form.cleaned_data["agents_to"]
        verb = partial(
            keys.close_cost_centre, agents_to=to.pk if to else "", open_work=_open_work(form)
        )
        return _perform(request, form, verb, ("centre", object_id), "The cost centre is closed.")

    @action(description="Reopen", permissions=["change"], dialog=_REOPEN)
    def reopen(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Open it again."""
        verb = keys.reopen_cost_centre
        return _perform(request, form, verb, ("centre", object_id), "The cost centre is open.")


class AgentPlaces:
    """What people with the permission to change agents do to their place and name."""

    actions_of_place = ("move", "rename")

    @action(description="Move", permissions=["change"], dialog=_MOVE_AGENT)
    def move(self, request: HttpRequest, form: MoveAgentForm, object_id: str) -> HttpResponse:
        """Let another cost centre pay."""
        to = form.cleaned_data["cost_centre"]
        verb = partial(keys.move_agent, cost_centre=to.pk, open_work=_open_work(form))
        return _perform(request, form, verb, ("managed_agent", object_id), "The agent was moved.")

    @action(description="Rename", permissions=["change"], dialog=_RENAME)
    def rename(self, request: HttpRequest, form: RenameForm, object_id: str) -> HttpResponse:
        """Give it another name on pages."""
        verb = partial(keys.rename_agent, name=form.cleaned_data["name"])
        return _perform(request, form, verb, ("managed_agent", object_id), "The agent was renamed.")


class KeyPlaces:
    """What people with the permission to change API keys do to their place in lists."""

    actions_of_place = ("hide", "show")

    @action(description="Hide", permissions=["change"], dialog=_HIDE)
    def hide(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Take it out of lists and choices."""
        page = ("managed_key", object_id)
        return _perform(request, form, keys.hide_key, page, "The API key is hidden.")

    @action(description="Show again", permissions=["change"], dialog=_SHOW)
    def show(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """List it again."""
        page = ("managed_key", object_id)
        return _perform(request, form, keys.show_key, page, "The API key is listed again.")
