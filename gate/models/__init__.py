"""Tables of the app."""

from gate.models.centre_bindings import CentreBinding

__all__ = ["CentreBinding"]
