"""Prompts and results on pages: people with the permission read them, and each look is recorded."""

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils import timezone

from common import formatting
from common.refusal import Refusal
from orchestration import services as orchestration
from orchestration.models import SubTask
from orchestration.task_texts import TaskTexts, description_of, result_of
from security.request_actor import person_of

_NO_PERMISSION = "You need the permission to read prompts and results of tasks."
_DELETED = "Its retention is over, so it was deleted."


class Text(NamedTuple):
    """A text of a part, or why it is not shown; both are blank if there is none."""

    content: str = ""
    why_not: str = ""


def texts_of_part(request: HttpRequest, part: SubTask) -> dict[str, Text]:
    """Its description and its result; that the person looks at them is recorded first."""
    sealed = {
        "description": (part.sealed_description, description_of(part.position)),
        "result": (part.sealed_result, result_of(part.position)),
    }
    texts, why_not = _readable(request, part)
    return {name: _text(texts, why_not, *where) for name, where in sealed.items()}


def _readable(request: HttpRequest, part: SubTask) -> tuple[TaskTexts | None, str]:
    """The texts of the task; None with the reason, if the person may not or cannot read them."""
    if part.task.texts_deleted_at:
        return None, _DELETED
    if not request.user.has_perm("orchestration.read_task_texts"):
        return None, _NO_PERMISSION
    try:
        return orchestration.look_at_texts(
            part.task,
            subject=f"sub_task:{part.pk}",
            actor=person_of(request),
            now=timezone.now(),
        ), ""
    except Refusal as refusal:
        return None, refusal.detail


def _text(texts: TaskTexts | None, why_not: str, sealed: Any, place: str) -> Text:
    if sealed is None:
        return Text(why_not=why_not if why_not == _DELETED else "")
    if texts is None:
        return Text(why_not=f"Sealed, {formatting.group_digits(len(sealed))} bytes. {why_not}")
    return Text(texts.unseal(sealed, place=place))
