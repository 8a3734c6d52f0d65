"""What is in the database when a measurement begins: a workspace, somebody in it, an app, runs."""

from __future__ import annotations

import uuid
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.test import Client
from django.utils import timezone

from portal.catalogue.models import PinnedApp
from portal.runs.models import Attempt, Output, OutputStatus, Run, SigningKey
from portal.runs.states import Status
from portal.workspaces.models import Membership
from tests.factories import MembershipFactory, detail, media_of, pin_of


def a_member() -> Membership:
    """Return a creator of a new workspace."""
    return MembershipFactory(workspace__slug=f"bench-{uuid.uuid4().hex[:8]}", user__email=f"{uuid.uuid4().hex}@x.test")


def an_app(member: Membership, *, outputs: int = 1, kind: str = "image") -> PinnedApp:
    """Return an app of one text and so many outputs, pinned in the member's workspace."""
    subject = {"id": "p1", "name": "Subject", "type": "text", "key": "subject", "required": True}
    made = [{"index": n, "label": f"Output {n + 1}", "type": kind} for n in range(outputs)]
    return pin_of(member.workspace, detail(subject, outputs=made))


def running_runs(member: Membership, pin: PinnedApp, count: int) -> list[Run]:
    """Return runs that Lamina works on; each has an output that is here and others to come."""
    now = timezone.now()
    runs = Run.objects.bulk_create(
        Run(
            workspace=member.workspace,
            created_by=member.user,
            token=uuid.uuid4(),
            pin=pin,
            app=pin.app,
            schema=pin.app.schema,
            inputs={"subject": "a mug"},
            status=Status.RUNNING,
            lamina_run_id=f"run-{uuid.uuid4()}",
            sent_at=now,
            accepted_at=now,
            started_at=now,
            # Nobody sweeps here.
            next_at=now + timedelta(days=1),
        )
        for _ in range(count)
    )
    media = media_of(member.workspace)
    places = pin.app.schema.detail["outputs"]
    Output.objects.bulk_create(
        Output(
            run=run,
            position=n,
            label=place["label"],
            kind=place["type"],
            status=OutputStatus.PENDING if n else OutputStatus.COMPLETED,
            media=None if n else media,
            made_at=None if n else now,
        )
        for run in runs
        for n, place in enumerate(places)
    )
    return runs


def attempts_of(runs: list[Run]) -> list[Attempt]:
    """Return an attempt for each run, with the address its news come to."""
    now = timezone.now()
    return Attempt.objects.bulk_create(Attempt(run=run, lease_until=now, sent_at=now, closed_at=now) for run in runs)


def a_signing_key() -> Ed25519PrivateKey:
    """Return a key whose public half the portal knows."""
    from base64 import urlsafe_b64encode

    key = Ed25519PrivateKey.generate()
    public = urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    SigningKey.objects.create(x=public, kid="bench")
    return key


def cookie_of(member: Membership) -> str:
    """Return the cookie of somebody who is signed in."""
    client = Client()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
