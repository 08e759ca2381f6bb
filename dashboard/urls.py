"""Addresses of the pages."""

from django.urls import path

from dashboard.views.overview import first_page

app_name = "dashboard"
urlpatterns = [path("", first_page, name="first-page")]
