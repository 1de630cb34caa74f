"""Members of the active team: roles, invitations, new links; and the teams for owners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from providers.models import Membership, Team
from providers.people import members, teams
from providers.people.errors import PeopleError
from providers.people.permissions import Capability
from providers.people.standing import Standing, standing_of
from providers.views.forms import PageForm, go_on, say_refused
from providers.views.settings.sections import show

MEMBERS = "providers:members"


class InviteForm(PageForm):
    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(label="Role", initial="member")

    def __init__(self, standing: Standing, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["role"].choices = list(members.roles_to_give(standing).items())  # type: ignore[attr-defined]


class TeamForm(PageForm):
    team = forms.CharField(label="Name of the team", max_length=teams.LONGEST_NAME)


@dataclass(frozen=True)
class Member:
    """`link_ends` None: there is no open link. `has_password` False: invited, never signed in."""

    id: int
    email: str
    role: str
    roles: dict[str, str]
    has_password: bool
    link_ends: datetime | None
    last_seen: datetime | None
    is_you: bool
    may_change: bool
    may_link: bool


@dataclass(frozen=True)
class MembersPage:
    """`link` is shown once, for `link_for`; the token is not kept."""

    team: Team
    members: list[Member]
    invite: InviteForm
    may_rename: bool
    link: str | None = None
    link_for: str = ""


@require_safe
def members_page(request: HttpRequest) -> HttpResponse:
    return show(request, "members", _page(request, InviteForm(standing_of(request))))


@never_cache
@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    form = InviteForm(standing, request.POST)
    if not form.is_valid():
        return show(request, "members", _page(request, form), form.status)
    team = _team(standing)
    try:
        added = members.add_member(**form.cleaned_data, team=team, by=standing)
    except PeopleError as fault:
        form.refuse(fault.field, fault.message)
        return show(request, "members", _page(request, form), form.status)
    email = added.membership.user.email
    if added.link is None:
        return go_on(
            request, MEMBERS, f"{email} is in {team.name} now, with the password they have."
        )
    page = _page(request, InviteForm(standing), added.link, email)
    return show(request, "members", page)


@require_POST
def change_role(request: HttpRequest, membership_id: int) -> HttpResponse:
    membership = _membership(request, membership_id)
    role = request.POST.get("role", "")
    try:
        members.change_role(membership, role, by=standing_of(request))
    except PeopleError as fault:
        return say_refused(request, MEMBERS, fault.message)
    label = members.ROLES[role].lower()
    return go_on(request, MEMBERS, f"{membership.user.email} is {label} now.")


@require_POST
def remove(request: HttpRequest, membership_id: int) -> HttpResponse:
    membership = _membership(request, membership_id)
    email = membership.user.email
    try:
        members.remove_member(membership, by=standing_of(request))
    except PeopleError as fault:
        return say_refused(request, MEMBERS, fault.message)
    return go_on(request, MEMBERS, f"{email} is out of the team; their API keys here are revoked.")


@never_cache
@require_POST
def new_link(request: HttpRequest, membership_id: int) -> HttpResponse:
    membership = _membership(request, membership_id)
    standing = standing_of(request)
    try:
        link = members.new_link(membership, by=standing)
    except PeopleError as fault:
        return say_refused(request, MEMBERS, fault.message)
    return show(
        request, "members", _page(request, InviteForm(standing), link, membership.user.email)
    )


def new_team(request: HttpRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if form.is_valid():
        try:
            team = teams.create_team(form.cleaned_data["team"], standing_of(request).user)
            teams.choose_team(standing_of(request).user, team.pk)
        except PeopleError as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, MEMBERS, f"{team.name} is there, and it is your active team now.")
    return show(request, "team", {"form": form, "is_new": True}, form.status)


def rename_team(request: HttpRequest) -> HttpResponse:
    team = _team(standing_of(request))
    form = TeamForm(request.POST or None, initial={"team": team.name})
    if form.is_valid():
        try:
            teams.rename_team(team, form.cleaned_data["team"], standing_of(request).user)
        except PeopleError as fault:
            form.refuse(fault.field, fault.message)
        else:
            return go_on(request, MEMBERS, "The team has its new name.")
    return show(request, "team", {"form": form, "is_new": False}, form.status)


def _page(
    request: HttpRequest, form: InviteForm, link: str | None = None, link_for: str = ""
) -> MembersPage:
    standing = standing_of(request)
    rows = members.visible_to(standing).prefetch_related("user__links").order_by("user__email")
    return MembersPage(
        team=_team(standing),
        members=[_member(row, standing) for row in rows],
        invite=form,
        may_rename=standing.may(Capability.MANAGE_PEOPLE),
        link=link and request.build_absolute_uri(link),
        link_for=link_for,
    )


def _member(row: Membership, standing: Standing) -> Member:
    user = row.user
    ends = [link.expires_at for link in user.links.all() if link.used_at is None]
    return Member(
        id=row.pk,
        email=user.email,
        role=members.ROLES[members.role_of(row)],
        roles=members.roles_to_give(standing),
        has_password=user.has_usable_password(),
        link_ends=max(ends, default=None),
        last_seen=user.last_login,
        is_you=user.pk == standing.user.pk,
        may_change=members.may_change(row, standing),
        may_link=members.may_link(row, standing),
    )


def _membership(request: HttpRequest, membership_id: int) -> Membership:
    return get_object_or_404(members.visible_to(standing_of(request)), pk=membership_id)


def _team(standing: Standing) -> Team:
    if standing.team is None:
        raise Http404("There is no team yet.")
    return standing.team
