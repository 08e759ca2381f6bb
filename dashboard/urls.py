"""The URLs of the dashboard."""

from django.urls import path

from dashboard.views.access import access
from dashboard.views.overview import overview
from dashboard.views.settings import settings
from dashboard.views.theme import theme

app_name = "dashboard"
urlpatterns = [
    path("", overview, name="overview"),
    path("access", access, name="access"),
    path("settings", settings, name="settings"),
    path("theme", theme, name="theme"),
]
