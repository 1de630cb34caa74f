"""Pages of operators, settings and costs, and the REST interface."""

from django.urls import URLPattern, URLResolver, include, path

from providers.views import costs, settings, setup, sign_in
from providers.views.settings import budgets, keys, members

app_name = "providers"

_people = [
    path("setup/", sign_in.setup_needed, name="setup_needed"),
    path("setup/<str:token>/", setup.owner, name="setup"),
    path("invitation/<str:token>/", sign_in.invitation, name="invitation"),
    path("team/", sign_in.choose_team, name="choose_team"),
]

_operator = [
    path("costs/", costs.costs, name="costs"),
    path("costs/attempts.csv", costs.costs_csv, name="costs_csv"),
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

_budgets = [
    path("", budgets.budgets_page, name="budgets"),
    path("new/", budgets.new, name="budget_new"),
    path("<int:budget_id>/", budgets.edit, name="budget"),
    path("<int:budget_id>/remove/", budgets.remove, name="budget_remove"),
]

_keys = [
    path("", keys.keys_page, name="keys"),
    path("new/", keys.issue, name="key_issue"),
    path("<int:key_id>/rotate/", keys.rotate, name="key_rotate"),
    path("<int:key_id>/revoke/", keys.revoke, name="key_revoke"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *_people,
    *_operator,
    path("settings/", settings.first, name="settings"),
    path("settings/budgets/", include(_budgets)),
    path("settings/keys/", include(_keys)),
    path("settings/members/", include(_members)),
]
