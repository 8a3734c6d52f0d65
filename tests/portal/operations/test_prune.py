"""`manage.py prune`: what is old and over goes, with its files; what is not settled stays."""

import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.media.models import Media, Origin
from portal.operations import pruning
from portal.runs.models import (
    OPEN_REFINEMENTS,
    Attempt,
    Delivery,
    Draft,
    Move,
    Output,
    Refinement,
    RefinementState,
    Run,
)
from portal.runs.states import ACTIVE, Status
from portal.workspaces.models import Membership
from tests.factories import detail, draft_of, media_of, pin_of, run_of

OLD = timedelta(days=100)
HERE = {Status.QUEUED, Status.RUNNING, Status.COMPLETED}


def prune(*options: str) -> str:
    """Run the command and return what it says."""
    out = io.StringIO()
    call_command("prune", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def pinned(member: Membership) -> Any:
    """An app of the workspace."""
    return pin_of(member.workspace, detail())


def old_run(member: Membership, pinned: Any, *, status: str = Status.COMPLETED, **fields: Any) -> Run:
    """Return a run that ended a hundred days ago."""
    then = timezone.now() - OLD
    values = {"status": status, "finished_at": then, "lamina_run_id": uuid.uuid4().hex}
    run = run_of(member, pinned, **{**values, **fields})
    Run.objects.filter(pk=run.pk).update(created_at=then)
    return run


def old_delivery(run: Run, **fields: Any) -> Delivery:
    """Return a delivery that came a hundred days ago and was applied."""
    then = timezone.now() - OLD
    attempt = Attempt.objects.create(run=run, lease_until=then, closed_at=then)
    values = {"verdict": "accepted", "lamina_run_id": "r", "signed_at": then, "received_at": then, "applied_at": then}
    return Delivery.objects.create(attempt=attempt, digest=uuid.uuid4().hex, **{**values, **fields})


def kept_output(run: Run, media: Media | None = None) -> Media:
    """Return the file of an output, stored for real."""
    if media is None:
        media = media_of(run.workspace, origin=Origin.OUTPUT)
        media.file.save("o.jpg", ContentFile(b"a picture"))
        media.thumbnail.save("t.webp", ContentFile(b"a small one"))
    run.outputs.update(media=media, status="completed")
    return media


def test_old_deliveries_go_and_others_stay(member: Membership, pinned: Any) -> None:
    run = old_run(member, pinned)
    for _n in range(3):
        old_delivery(run)
    going = old_run(member, pinned, status=Status.RUNNING, finished_at=None)
    kept = [
        old_delivery(run, applied_at=None),
        old_delivery(run, received_at=timezone.now() - timedelta(days=29)),
        old_delivery(going),
    ]
    assert prune("--deliveries-older-than", "30") == "3 deliveries are gone.\n"
    assert set(Delivery.objects.values_list("pk", flat=True)) == {delivery.pk for delivery in kept}
    assert Run.objects.count() == 2, "runs were not asked for"


def test_old_runs_go_with_their_rows_and_files(
    member: Membership, pinned: Any, django_capture_on_commit_callbacks: Any
) -> None:
    run = old_run(member, pinned)
    old_delivery(run)
    Move.objects.create(run=run, at=timezone.now() - OLD, to=Status.COMPLETED, told_by="sweep")
    media = kept_output(run)
    follower = old_run(member, pinned, finished_at=timezone.now(), retry_of=run)
    upload = media_of(member.workspace)
    with django_capture_on_commit_callbacks(execute=True):
        assert prune("--runs-older-than", "90") == "1 runs are gone, and 1 files that only they had.\n"
    assert list(Run.objects.all()) == [follower]
    assert list(Media.objects.all()) == [upload]
    assert not Delivery.objects.exists()
    assert not Move.objects.exists()
    assert not default_storage.exists(media.file.name)
    assert not default_storage.exists(media.thumbnail.name)


@pytest.mark.parametrize("status", sorted({*ACTIVE, Status.NEEDS_ATTENTION}))
def test_runs_that_are_not_settled_stay_whatever_their_age(member: Membership, pinned: Any, status: str) -> None:
    old_run(member, pinned, status=status)
    prune("--runs-older-than", "1", "--deliveries-older-than", "1")
    assert Run.objects.count() == 1


def test_settled_runs_with_something_to_do_stay(member: Membership, pinned: Any) -> None:
    unapplied, uncopied, unanswered = (old_run(member, pinned) for _n in range(3))
    old_delivery(unapplied, applied_at=None)
    uncopied.outputs.update(copy_next_at=timezone.now() + timedelta(hours=1))
    Attempt.objects.create(run=unanswered, lease_until=timezone.now())
    assert prune("--runs-older-than", "90").startswith("0 runs")
    assert Run.objects.count() == 3


@pytest.mark.parametrize("field", ["details_next_at", "cancel_next_at"])
def test_runs_that_lamina_is_still_to_be_asked_about_stay(member: Membership, pinned: Any, field: str) -> None:
    Run.objects.filter(pk=old_run(member, pinned).pk).update(**{field: timezone.now()})
    assert prune("--runs-older-than", "90").startswith("0 runs")


@pytest.mark.parametrize("state", OPEN_REFINEMENTS)
def test_runs_that_are_being_changed_stay(member: Membership, pinned: Any, state: str) -> None:
    Refinement.objects.create(run=old_run(member, pinned), words="Warmer", state=state, asked_at=timezone.now() - OLD)
    assert prune("--runs-older-than", "90").startswith("0 runs")


def test_run_is_as_old_as_its_last_change(member: Membership, pinned: Any) -> None:
    run, now = old_run(member, pinned), timezone.now()
    changes = [("Warmer", OLD), ("Colder", timedelta(days=10))]
    for words, age in changes:
        Refinement.objects.create(run=run, words=words, state=RefinementState.DONE, finished_at=now - age)
    assert prune("--runs-older-than", "90").startswith("0 runs")
    assert prune("--runs-older-than", "9").startswith("1 run")


def test_files_that_something_else_uses_stay(
    member: Membership, pinned: Any, django_capture_on_commit_callbacks: Any
) -> None:
    first, second = old_run(member, pinned), old_run(member, pinned)
    as_input, shared = kept_output(first), kept_output(second)
    run_of(member, pinned, inputs={"Photos": [as_input.ref]})
    kept_output(run_of(member, pinned), shared)
    with django_capture_on_commit_callbacks(execute=True):
        assert prune("--runs-older-than", "90") == "2 runs are gone, and 0 files that only they had.\n"
    assert set(Media.objects.all()) == {as_input, shared}
    assert default_storage.exists(as_input.file.name)


def test_uploads_stay_even_when_only_old_runs_used_them(member: Membership, pinned: Any) -> None:
    upload = media_of(member.workspace)
    old_run(member, pinned, inputs={"Photo": upload.ref})
    prune("--runs-older-than", "90")
    assert list(Media.objects.all()) == [upload]


def test_pruning_goes_on_chunk_by_chunk(member: Membership, pinned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "CHUNK", 2)
    for _n in range(5):
        old_delivery(old_run(member, pinned))
    assert prune("--deliveries-older-than", "30") == "5 deliveries are gone.\n"
    assert prune("--runs-older-than", "30").startswith("5 runs are gone")
    assert not Output.objects.exists()


def test_dry_run_counts_and_touches_nothing(member: Membership, pinned: Any) -> None:
    old_delivery(old_run(member, pinned))
    said = prune("--deliveries-older-than", "30", "--runs-older-than", "30", "--dry-run")
    assert "1 deliveries would go." in said
    assert "1 runs would go" in said
    assert (Run.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "options", [(), ("--dry-run",), ("--runs-older-than", "0"), ("--runs-older-than", "-1"), ("--runs-older-than", "x")]
)
def test_prune_wants_to_be_told_what_and_how_old(options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        prune(*options)


def test_old_drafts_go_and_files_in_them_stay(member: Membership, pinned: Any) -> None:
    run = old_run(member, pinned)
    media = kept_output(run)
    draft = draft_of(member, pinned, inputs={"Photos": [media.ref]})
    prune("--runs-older-than", "90", "--drafts-older-than", "90")
    assert Draft.objects.filter(pk=draft.pk).exists()
    assert Media.objects.filter(pk=media.pk).exists(), "a draft has it"
    Draft.objects.update(updated_at=timezone.now() - OLD)
    assert "1 drafts would go." in prune("--drafts-older-than", "90", "--dry-run")
    assert "1 drafts are gone." in prune("--drafts-older-than", "90")
    assert not Draft.objects.exists()
