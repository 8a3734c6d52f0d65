"""The cast: a workspace, its people, a stranger, staff, and Lamina as the stand-in plays it."""

import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.test import Client

from lamina_integration import Lane
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.catalogue.schemas import pin
from portal.runs.models import Run
from portal.runs.submit import submit
from portal.workspaces import away
from portal.workspaces.lamina import BUDGET_KEY, client_for, silence
from portal.workspaces.models import Membership, Role, User, Workspace
from tests.factories import MembershipFactory, UserFactory, WorkspaceFactory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end one process would wait for the other."""
    items.sort(key=lambda item: item.get_closest_marker("once") is None)


@pytest.fixture(autouse=True)
def all_is_here() -> Iterator[None]:
    """What a test knows of a Redis or a Lamina that is away ends with it."""
    yield
    away._asking = None
    silence.forget()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield server.getsockname()[1]


@pytest.fixture
def workspace(db: None) -> Workspace:
    """The workspace most tests happen in."""
    return WorkspaceFactory(slug="demo", name="Northwind Goods")


@pytest.fixture
def other_workspace(db: None) -> Workspace:
    """The neighbour."""
    return WorkspaceFactory(slug="other", name="Other Goods")


@pytest.fixture
def member(workspace: Workspace) -> Membership:
    """The creator's membership."""
    return MembershipFactory(workspace=workspace, user__email="creator@example.test", user__name="Ines Creator")


@pytest.fixture
def creator(member: Membership) -> User:
    """Somebody who makes runs."""
    return member.user


@pytest.fixture
def owner(workspace: Workspace) -> User:
    """The workspace's owner."""
    return MembershipFactory(workspace=workspace, role=Role.OWNER, user__email="owner@example.test").user


@pytest.fixture
def reviewer(workspace: Workspace) -> User:
    """Somebody who looks and does not spend."""
    return MembershipFactory(workspace=workspace, role=Role.REVIEWER, user__email="reviewer@example.test").user


@pytest.fixture
def outsider(other_workspace: Workspace) -> User:
    """The owner of another workspace."""
    return MembershipFactory(workspace=other_workspace, role=Role.OWNER, user__email="outsider@example.test").user


@pytest.fixture
def staff(db: None) -> User:
    """Somebody of the support team."""
    return UserFactory(email="staff@example.test", is_staff=True, is_superuser=True)


@pytest.fixture
def as_user() -> Callable[[User], Client]:
    """A function that returns a browser session of a user."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in


@pytest.fixture(scope="session")
def lamina_server() -> Iterator[Sandbox]:
    """The stand-in, started once; tests use `lamina`. Its media are plain: to draw them is most of a test's cost."""
    with Sandbox(speed=1000, limit=0, plain_media=True, apps=[Path(__file__).parent / "apps"]) as server:
        yield server


@pytest.fixture
def lamina(lamina_server: Sandbox, settings: object) -> Iterator[Sandbox]:
    """Lamina with an empty past, and the portal told where it is."""
    lamina_server.reset()
    redis.Redis.from_url(settings.REDIS_URL).delete(BUDGET_KEY)
    settings.LAMINA_BASE_URL = lamina_server.url
    settings.LAMINA_API_KEY = lamina_server.api_key
    settings.LAMINA_MEDIA_HOSTS = frozenset({lamina_server.url.removeprefix("http://")})
    yield lamina_server
    lamina_server.reset()


POSTER = "11111111-0000-4000-8000-000000000001"


@pytest.fixture
def poster(lamina: Sandbox, workspace: Workspace) -> PinnedApp:
    """An app of the stand-in's that wants a sentence and makes two pictures, pinned."""
    with client_for(workspace, lane=Lane.INTERACTIVE) as client:
        return pin(workspace=workspace, lamina_id=POSTER, capability="image", client=client)


@pytest.fixture
def run(poster: PinnedApp, member: Membership) -> Run:
    """A run of the poster app, saved and not sent."""
    return submit(
        member=member,
        pin=poster,
        schema=poster.app.schema,
        inputs={"brief_text": "A mug"},
        outputs_wanted=[],
        token=uuid.uuid4(),
    )
