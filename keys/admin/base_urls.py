"""Base URLs in the forms of the admin."""

from typing import Any

from django import forms

from keys.refusals import WrongValue
from keys.supply.base_urls import check_base_url


class BaseUrlForm(forms.ModelForm):
    """A form with a `base_url`: a changed one must be a base URL, not an endpoint."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django assumes http, and the secret would be sent in the clear.
        if field := self.fields.get("base_url"):
            vars(field)["assume_scheme"] = "https"

    def clean_base_url(self) -> str:
        """The base URL, if it is unchanged or usable."""
        url: str = self.cleaned_data["base_url"]
        if "base_url" not in self.changed_data:
            return url
        try:
            return check_base_url(url)
        except WrongValue as refusal:
            raise forms.ValidationError(refusal.detail) from None
