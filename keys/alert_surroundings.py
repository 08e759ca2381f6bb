"""What routes of alerts ask of the books: the reporting zone, and the cost centres of alerts."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from django.db.models import Q

from alerts import surroundings
from alerts.models import Alert
from keys.identity.queries.organisation import organisation
from keys.models import Agent, Allocation, CostCentre


class Books:
    """Finds them in the tables of this app."""

    def zone(self) -> ZoneInfo:
        """The reporting zone of the organisation."""
        return ZoneInfo(organisation().reporting_zone)

    def centres_of(self, alert: Alert) -> Collection[str]:
        """The cost centres that an alert is about, and all above them; one query."""
        of_session = Allocation.objects.filter(session_id=alert.session_id or "")
        of_agent = Agent.objects.filter(pk=alert.agent_id or "")
        centres = CostCentre.objects.filter(
            Q(pk__in=of_agent.values("cost_centre"))
            | Q(pk__in=of_session.values("cost_centre"))
            | Q(pk=alert.facts.get("cost_centre") or "")
        )
        return {slug for path in centres.values_list("path", flat=True) for slug in path}


surroundings.register(Books())
