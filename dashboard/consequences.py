"""Acts that say first what follows from them: the dialog shows it, and asks to confirm it.

The first time it is sent, the dialog opens again with what follows, in figures, and a box to tick.
It is done when that is sent with the box, unless the answer has changed since it was shown.
"""

from collections.abc import Sequence
from typing import Any

from django import forms

from dashboard.acts import ActForm
from gate.queries import AudienceChange
from keys import services as keys
from keys.books.queries.open_work import OpenWork

_NAMES_MAX = 8


class Tick(forms.CheckboxInput):
    """A box whose value says what was shown beside it."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, check_test=lambda value: False)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """The value, if the box is ticked."""
        return data.get(name, "")


class ConsequenceForm(ActForm):
    """Asks what to do, then shows what follows, then does it.

    A form says what follows in `consequences`, and in `answer` what it depends on.
    """

    confirmed = forms.CharField(
        label="I have read what follows", required=False, widget=Tick(), max_length=300
    )

    def __init__(self, subject: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(subject, *args, **kwargs)
        self.subject = subject
        if not self.is_bound:
            # Nothing follows before the questions are answered.
            del self.fields["confirmed"]

    def open_work(self) -> OpenWork:
        """What is open of the subject."""
        raise NotImplementedError

    def answer(self, asked: dict[str, Any]) -> str:
        """What was answered, as far as what follows depends on it."""
        raise NotImplementedError

    def consequences(self, asked: dict[str, Any], found: OpenWork) -> Sequence[str]:
        """What follows, in sentences."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        """The answers, with the rule for open work; an error until they are confirmed."""
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return asked
        found = self.open_work()
        asked["open_work"] = keys.OpenWorkRule.END if found else keys.OpenWorkRule.REFUSE
        shown = f"{self.answer(asked)} {asked['open_work']}"
        if asked["confirmed"] != shown:
            self.fields["confirmed"].widget.attrs["value"] = shown
            self.add_error("confirmed", " ".join(self.consequences(asked, found)))
        return asked


def open_work_sentences(found: OpenWork, *, paid_by: str) -> list[str]:
    """What happens to what is open: sessions and tasks end, calls in flight go on."""
    ending = []
    if found.sessions:
        named = ", ".join(f"{each.session_id} of {each.agent}" for each in found.first)
        more = ", …" if found.sessions > len(found.first) else ""
        ending.append(
            f"{_number(found.sessions, 'open session')} with {found.tokens:,} tokens left "
            f"({named}{more})"
        )
    ending += [
        _number(number, f"unfinished {noun}") for noun, number in found.others.items() if number
    ]
    sentences = [f"This ends {' and '.join(ending)}."] if ending else ["Nothing is open."]
    if found.in_flight:
        calls = _number(found.in_flight, "call")
        sentences.append(f"{calls} in flight: paid by {paid_by}, where it started.")
    return sentences


def audience_sentences(change: AudienceChange, what: str, *, user: Any) -> list[str]:
    """Who of the people that are limited to a cost centre sees less, and who more.

    Only who sees people reads their names.
    """
    named = _named if user.has_perm("auth.view_user") else _counted
    sentences = []
    if change.lose:
        sentences.append(
            f"No longer see {what}, only what it spent until now: {named(change.lose)}."
        )
    if change.gain:
        sentences.append(f"See {what} from now on: {named(change.gain)}.")
    return sentences or ["Everybody sees what they saw before."]


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_MAX
    return ", ".join(names[:_NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _counted(names: Sequence[str]) -> str:
    return "1 person" if len(names) == 1 else f"{len(names)} people"


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
