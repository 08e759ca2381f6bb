"""The prompts and results of a task: compressed, then sealed with a key of the task's own.

That key is sealed into the task's row, so a rekey of the vault seals only the small key again. When
the retention is over, the key and all that it sealed are deleted.
"""

import zlib
from uuid import UUID

from django.views.decorators.debug import sensitive_variables

from orchestration.models import Task
from security import services as security
from security import vault

# The fastest: results can have a megabyte, and text shrinks well at any level.
_LEVEL = 1
# The place of the task's own description.
TASK = "task"


def description_of(position: int) -> str:
    """The place of the description of a sub-task."""
    return f"description of {position}"


def result_of(position: int) -> str:
    """The place of the result of a sub-task."""
    return f"result of {position}"


class TaskTexts:
    """Seals and unseals the texts of one task. `key` None: none of them can be read, and each is
    empty."""

    @sensitive_variables()
    def __init__(self, text_id: UUID, key: str | None) -> None:
        self._text_id, self._key = text_id, key

    @property
    def readable(self) -> bool:
        """Whether there is a key to read them with."""
        return self._key is not None

    @sensitive_variables()
    def seal(self, text: str, *, place: str) -> bytes | None:
        """The text, sealed for its place, such as `result_of(1)`. None if it is empty."""
        if not text or self._key is None:
            return None
        compressed = zlib.compress(text.encode(), _LEVEL)
        return vault.seal_content(compressed, key=self._key, context=self._context(place))

    @sensitive_variables()
    def unseal(self, sealed: bytes | memoryview | None, *, place: str) -> str:
        """The text that was sealed for the place; empty for None. Refusal: CannotUnseal."""
        if sealed is None or self._key is None:
            return ""
        content = vault.unseal_content(bytes(sealed), key=self._key, context=self._context(place))
        return zlib.decompress(content).decode()

    def _context(self, place: str) -> str:
        return f"orchestration.task.{self._text_id}: {place}"


@sensitive_variables()
def new_texts(task: Task) -> TaskTexts:
    """Give a new task a key for its texts; the caller saves."""
    key = vault.new_content_key()
    security.seal_into(task, "content_key", key)
    return TaskTexts(task.text_id, key)


@sensitive_variables()
def texts_of(task: Task) -> TaskTexts:
    """The texts of a task; empty after the retention. Refusal: CannotUnseal."""
    key = security.unseal_from(task, "content_key") if task.content_key else None
    return TaskTexts(task.text_id, key)


def no_texts(task: Task) -> TaskTexts:
    """The texts of a task for those who may not read them: each is empty."""
    return TaskTexts(task.text_id, None)
