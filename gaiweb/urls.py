"""Addresses of the pages; `/v1` is mounted in front of Django, in `gaiweb.asgi`."""

from allauth.account import views as account
from django.contrib import admin
from django.urls import include, path

from gaiweb.metrics import metrics
from gaiweb.pages import home
from providers.rest.api import api

# Of allauth's addresses only those that work without sign-up and without a mail server.
accounts = [
    path("sign-in/", account.login, name="account_login"),
    path("sign-out/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("password/", account.password_change, name="account_change_password"),
]

urlpatterns = [
    path("", home, name="home"),
    path("metrics", metrics, name="metrics"),
    path("-/admin/", admin.site.urls),
    path("", include(accounts)),
    path("api/v1/", api.urls),
    path("", include("providers.urls")),
    path("", include("conversations.urls")),
]
