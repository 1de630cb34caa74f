"""Addresses of the pages; `/v1` is mounted in front of Django, in `gaiweb.asgi`."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("-/admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("providers.urls")),
    path("", include("conversations.urls")),
]
