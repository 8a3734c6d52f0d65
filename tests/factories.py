"""One factory for each model, minimal by default."""

import uuid
from typing import Any

import factory
from django.utils import timezone

from portal.catalogue.models import App, Capability, PinnedApp, SchemaUse, SchemaVersion
from portal.catalogue.schemas import fingerprint_of
from portal.media.models import Kind, Media, Origin
from portal.runs.models import Draft, Output, OutputStatus, Run
from portal.workspaces.models import Membership, Role, User, Workspace


class UserFactory(factory.django.DjangoModelFactory):
    """A person who can sign in with the password "correct horse"."""

    email = factory.Sequence(lambda n: f"person{n}@example.test")
    name = "A Person"
    password = factory.django.Password("correct horse")

    class Meta:
        model = User


class WorkspaceFactory(factory.django.DjangoModelFactory):
    """A workspace without members."""

    slug = factory.Sequence(lambda n: f"workspace-{n}")
    name = factory.LazyAttribute(lambda workspace: workspace.slug.title())

    class Meta:
        model = Workspace


class MembershipFactory(factory.django.DjangoModelFactory):
    """A creator in a workspace."""

    workspace = factory.SubFactory(WorkspaceFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.CREATOR

    class Meta:
        model = Membership


def detail(*parameters: dict[str, Any], outputs: list[dict[str, Any]] | None = None, **members: Any) -> dict[str, Any]:
    """Return an app's detail as Lamina gives it, with these parameters."""
    return {
        "appId": str(uuid.uuid4()),
        "name": "An app",
        "description": "Makes pictures.",
        "parameters": list(parameters),
        "outputs": [{"index": 0, "label": "Picture", "type": "image"}] if outputs is None else outputs,
        **members,
    }


def app_from(document: dict[str, Any]) -> App:
    """Return an app whose newest schema is this detail."""
    app = App.objects.create(lamina_id=document["appId"], name=document["name"], refreshed_at=timezone.now())
    app.schema = SchemaVersion.objects.create(app=app, fingerprint=fingerprint_of(document), detail=document)
    SchemaUse.objects.create(app=app, version=app.schema)
    app.save()
    return app


def pin_of(workspace: Workspace, document: dict[str, Any], capability: str = Capability.IMAGE) -> PinnedApp:
    """Return an app with this detail, pinned in a workspace."""
    return PinnedApp.objects.create(workspace=workspace, app=app_from(document), capability=capability)


def run_of(member: Membership, pin: PinnedApp, **fields: Any) -> Run:
    """Return a run of a pinned app that a member started, with one reserved output."""
    run = Run.objects.create(
        workspace=member.workspace,
        created_by=member.user,
        token=uuid.uuid4(),
        pin=pin,
        app=pin.app,
        schema=pin.app.schema,
        **fields,
    )
    Output.objects.create(run=run, position=0, label="Picture", kind="image")
    return run


def draft_of(member: Membership, pin: PinnedApp, **fields: Any) -> Draft:
    """Return what a member has begun of an app's form."""
    values = {"token": uuid.uuid4(), "schema": pin.app.schema, "updated_at": timezone.now()}
    return Draft.objects.create(member=member, pin=pin, **{**values, **fields})


def media_of(workspace: Workspace, **fields: Any) -> Media:
    """Return the row of a picture, without a stored file."""
    values = {
        "kind": Kind.IMAGE,
        "origin": Origin.UPLOAD,
        "name": "mug.jpg",
        "extension": "jpg",
        "content_type": "image/jpeg",
        "size": 1000,
        "sha256": uuid.uuid4().hex * 2,
        "source_sha256": uuid.uuid4().hex * 2,
        "width": 600,
        "height": 400,
        "file": "nowhere/original.jpg",
        "thumbnail": "nowhere/thumb.webp",
    }
    return Media.objects.create(workspace=workspace, **{**values, **fields})


def ready_output_of(run: Run, position: int, **fields: Any) -> Output:
    """Return an output that is made and copied."""
    media = media_of(run.workspace, origin=Origin.OUTPUT)
    values = {"label": f"Picture {position}", "kind": "image", "status": OutputStatus.COMPLETED, "media": media}
    return Output.objects.create(run=run, position=position, made_at=timezone.now(), **{**values, **fields})
