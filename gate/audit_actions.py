"""What `gate` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on people, secrets, backups and findings."""

    PERSON_INVITE = "person.invite"
    PERSON_INVITE_AGAIN = "person.invite_again"
    PERSON_SET_ACCESS = "person.set_access"
    PERSON_SWITCH_OFF = "person.switch_off"
    PERSON_SWITCH_ON = "person.switch_on"
    PERSON_SIGN_OUT = "person.sign_out"
    ACCESS_REVIEW_START = "access_review.start"
    ACCESS_REVIEW_DECIDE = "access_review.decide"
    ACCESS_REVIEW_COMPLETE = "access_review.complete"
    SECRET_REVEAL = "secret.reveal"  # noqa: S105 - an action, no secret
    BACKUP_CREATE = "backup.create"
    FINDING_REPORT = "finding.report"
    FINDING_DECIDE = "finding.decide"
