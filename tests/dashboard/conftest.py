"""Who looks at the pages, and when."""

from datetime import datetime

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone


@pytest.fixture
def staff(client: Client) -> Client:
    """A client signed in as grace, who may do everything."""
    client.force_login(get_user_model().objects.create_superuser("grace", password="x"))
    return client


@pytest.fixture
def now() -> datetime:
    """The pages look at the clock: what they show happens now."""
    return timezone.now()
