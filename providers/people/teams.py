"""Teams: make, rename, choose."""

from __future__ import annotations

from django.db import transaction
from django.utils.text import slugify

from providers import audit
from providers.models import Team, User
from providers.people.errors import PeopleError
from providers.people.standing import standing_of_user

LONGEST_NAME = 120


def find_team(name: str) -> Team:
    """Look up by name or slug, in any case. Raises PeopleError that names those that exist."""
    team = _named(name)
    if team is None:
        known = ", ".join(repr(each.name) for each in Team.objects.order_by("name")[:8])
        words = f"There are: {known}." if known else "There is none yet: run bootstrap first."
        raise PeopleError(f"There is no team {name!r}. {words}", field="team")
    return team


def ensure_team(name: str) -> Team:
    """Find the team of that name, or make it. Raises PeopleError."""
    return _named(name) or create_team(name)


@transaction.atomic
def create_team(name: str, by: User | None = None) -> Team:
    name = _clean(name)
    team = Team.objects.create(name=name, slug=_free_slug(name))
    audit.write(by, "team.made", team.slug, after={"name": name})
    return team


@transaction.atomic
def rename_team(team: Team, name: str, by: User | None = None) -> None:
    """Change the name that people read; the slug stays, scripts use it."""
    before = {"name": team.name}
    team.name = _clean(name, but=team)
    team.save(update_fields=["name"])
    audit.write_change(by, "team.renamed", team.slug, before, {"name": team.name})


def choose_team(user: User, team_id: int) -> Team:
    """Make it the one whose money that person spends. Raises PeopleError when it is not theirs."""
    team = next((team for team in standing_of_user(user).teams if team.pk == team_id), None)
    if team is None:
        raise PeopleError("You are not in that team.", field="team")
    user.active_team = team
    user.save(update_fields=["active_team"])
    return team


def _named(name: str) -> Team | None:
    by_name = Team.objects.filter(name__iexact=name.strip()).order_by("id").first()
    return by_name or Team.objects.filter(slug=name.strip()).first()


def _clean(name: str, but: Team | None = None) -> str:
    name = " ".join(name.split())
    if not name:
        raise PeopleError("Give the team a name.", field="team")
    if len(name) > LONGEST_NAME:
        raise PeopleError(f"A team's name has at most {LONGEST_NAME} characters.", field="team")
    namesake = _named(name)
    if namesake is not None and namesake != but:
        raise PeopleError(f"There is a team {namesake.name!r} already.", field="team")
    return name


def _free_slug(name: str) -> str:
    wanted = slugify(name)[:100] or "team"
    taken = set(Team.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in (wanted, *numbered) if slug not in taken)
