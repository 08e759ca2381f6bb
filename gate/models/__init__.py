"""Tables of the app."""

from gate.models.access_reviews import AccessReview, AccessReviewLine
from gate.models.centre_bindings import CentreBinding
from gate.models.findings import Finding
from gate.models.reveals import Reveal
from gate.models.second_factor_keys import SecondFactorKey

__all__ = [
    "AccessReview",
    "AccessReviewLine",
    "CentreBinding",
    "Finding",
    "Reveal",
    "SecondFactorKey",
]
