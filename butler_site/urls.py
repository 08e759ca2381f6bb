"""The URLs that Butler serves."""

from allauth.account.views import account_inactive, logout, reauthenticate
from allauth.socialaccount.views import login_cancelled, login_error
from django.contrib import admin
from django.urls import include, path

from api.rail_webhooks import rail_webhook
from butler_site import errors, health, own_password
from butler_site.invitation import Invitation
from butler_site.sign_in import sign_in

urlpatterns = [
    path("readyz", health.readyz),
    path("api/v1/errors", errors.table_page),
    path("api/", include("api.urls")),
    path("webhooks/<str:key>", rail_webhook, name="rail-webhook"),
    path("invitation/<uidb64>/<token>/", Invitation.as_view(), name="invitation"),
    # The admin has no door of its own: its address is that of all pages.
    path("admin/login/", sign_in, name="account_login"),
    path("account/sign-out/", logout, name="account_logout"),
    path("account/confirm/", reauthenticate, name="account_reauthenticate"),
    path("account/inactive/", account_inactive, name="account_inactive"),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("account/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("account/sso/cancelled/", login_cancelled, name="socialaccount_login_cancelled"),
    path("account/sso/error/", login_error, name="socialaccount_login_error"),
    path("account/sessions/", include("allauth.usersessions.urls")),
    path("admin/password_change/", admin.site.admin_view(own_password.password_change)),
    path("admin/", admin.site.urls),
    path("", include("dashboard.urls")),
]
handler400 = errors.bad_request
handler404 = errors.not_found
handler500 = errors.server_error
