"""Views of pages that people keep."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from common import links
from common.money_fields import created_at_field


class SavedView(models.Model):
    """A page with its range, groups, filters and order, under a name.

    It stores the question, never the answer: who opens a view sees the rows of that moment, and
    only those that they may see.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=64, help_text="The kind of page in the table of links.")
    name = models.CharField(max_length=100, help_text="The name of the view.")
    query = models.CharField(max_length=2000, blank=True, help_text="The query string of the page.")
    shared_at = models.DateTimeField(
        null=True, blank=True, help_text="When the view was shared; empty: only its owner sees it."
    )
    created_at = created_at_field()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "page", "name"], name="savedview_once_per_owner_page_and_name"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="savedview_has_a_name"),
        ]
        indexes = [
            models.Index(
                fields=["page"],
                condition=Q(shared_at__isnull=False),
                name="savedview_shared_by_page",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """The page with the filters of the view."""
        path = links.url(self.page)
        return f"{path}?{self.query}" if self.query else path
