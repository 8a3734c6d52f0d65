"""A run that is done, and somebody who wants it changed."""

import uuid
from collections.abc import Callable

import pytest
from django.test import Client

from lamina_integration.sandbox import Sandbox
from portal.runs import copies, refine, rounds
from portal.runs.models import Refinement, Run
from portal.runs.states import Status
from portal.runs.submit import send
from portal.workspaces.models import Membership, User

Ask = Callable[..., Refinement]


@pytest.fixture
def done(run: Run, lamina: Sandbox) -> Run:
    """A completed run with its two pictures ours."""
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    lamina.complete(run.lamina_run_id)
    rounds.want_details(run.pk)
    rounds.go_round()
    copy_all(run)
    run.refresh_from_db()
    assert run.status == Status.COMPLETED
    return run


@pytest.fixture
def ask(done: Run, member: Membership) -> Ask:
    """A function that asks for a change."""

    def asked(words: str = "Warmer light", token: uuid.UUID | None = None) -> Refinement:
        return refine.ask(member=member, run=done, words=words, token=token or uuid.uuid4())

    return asked


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


def copy_all(run: Run) -> None:
    for output_id in run.outputs.filter(copy_next_at__isnull=False).values_list("pk", flat=True):
        copies.copy_output(output_id)
