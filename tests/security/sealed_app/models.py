"""A model with a sealed secret."""

from django.db import models

from security.fields import SealedField


class Safe(models.Model):
    """A row that has a secret."""

    slug = models.SlugField(unique=True)
    note = models.TextField(default="")
    secret = SealedField(bound_to="slug", null=True)

    def __str__(self):
        return self.slug
