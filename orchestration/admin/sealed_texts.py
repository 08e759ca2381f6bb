"""Prompts and results on pages: users with the permission read them, and each look is recorded."""

from typing import NamedTuple

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import formatting
from common.admin import widgets
from common.refusal import Refusal
from orchestration import services
from orchestration.models import Task
from orchestration.task_texts import TaskTexts
from security.request_actor import person_of

_NO_PERMISSION = "you need the permission to read prompts and results of tasks"


class PageTexts(NamedTuple):
    """The texts of a task for one page, or why the user does not see them."""

    texts: TaskTexts | None
    why_not: str = ""

    def block(self, sealed: bytes | memoryview | None, *, place: str) -> SafeString | str:
        """One of the texts, or its size if the user does not see it."""
        if sealed is None:
            return widgets.NOTHING
        if self.texts is None:
            size = formatting.group_digits(len(sealed))
            return format_html("<small>sealed, {} bytes: {}</small>", size, self.why_not)
        return widgets.block(self.texts.unseal(sealed, place=place))


def page_texts(request: HttpRequest, task: Task, *, subject: str) -> PageTexts:
    """The texts for the page of `subject`; that the user looks at them is recorded first."""
    if task.texts_deleted_at:
        return PageTexts(None)
    if not request.user.has_perm("orchestration.read_task_texts"):
        return PageTexts(None, _NO_PERMISSION)
    try:
        texts = services.look_at_texts(
            task, subject=subject, actor=person_of(request), now=timezone.now()
        )
    except Refusal as refusal:
        return PageTexts(None, refusal.detail)
    return PageTexts(texts)
