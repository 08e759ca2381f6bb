"""Tables of the app."""

from gate.models.centre_bindings import CentreBinding
from gate.models.reveals import Reveal

__all__ = ["CentreBinding", "Reveal"]
