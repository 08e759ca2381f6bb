"""The URLs that Butler serves."""

from django.contrib import admin
from django.urls import include, path

from butler_site import errors, health, own_password
from butler_site.invitation import Invitation

urlpatterns = [
    path("readyz", health.readyz),
    path("api/v1/errors", errors.table_page),
    path("api/", include("api.urls")),
    path("invitation/<uidb64>/<token>/", Invitation.as_view(), name="invitation"),
    path("admin/password_change/", admin.site.admin_view(own_password.password_change)),
    path("admin/", admin.site.urls),
    path("", include("dashboard.urls")),
]
handler400 = errors.bad_request
handler404 = errors.not_found
handler500 = errors.server_error
