"""Pages of operators, settings and costs, and the REST interface."""

from django.urls import URLPattern, URLResolver, include, path

from providers.views import settings, setup, sign_in
from providers.views.settings import members

app_name = "providers"

_people = [
    path("setup/", sign_in.setup_needed, name="setup_needed"),
    path("setup/<str:token>/", setup.owner, name="setup"),
    path("invitation/<str:token>/", sign_in.invitation, name="invitation"),
    path("team/", sign_in.choose_team, name="choose_team"),
]

_members = [
    path("", members.members_page, name="members"),
    path("add/", members.invite, name="member_invite"),
    path("<int:membership_id>/role/", members.change_role, name="member_role"),
    path("<int:membership_id>/remove/", members.remove, name="member_remove"),
    path("<int:membership_id>/link/", members.new_link, name="member_link"),
    path("team/new/", members.new_team, name="team_new"),
    path("team/", members.rename_team, name="team_rename"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *_people,
    path("settings/", settings.first, name="settings"),
    path("settings/members/", include(_members)),
]
