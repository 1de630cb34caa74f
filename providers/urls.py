"""Pages of operators, settings and costs, and the REST interface."""

from django.urls import URLPattern, URLResolver, path

from providers.views import setup, sign_in

app_name = "providers"
urlpatterns: list[URLPattern | URLResolver] = [
    path("setup/", sign_in.setup_needed, name="setup_needed"),
    path("setup/<str:token>/", setup.owner, name="setup"),
    path("invitation/<str:token>/", sign_in.invitation, name="invitation"),
    path("team/", sign_in.choose_team, name="choose_team"),
]
