"""Keep what people have filled in and not sent.

A draft carries its form's token. Once a run has that token the draft is over, whatever its row says:
`unsent` leaves it out, so that a save which arrives after its form was sent brings nothing back.
"""

import json
import uuid
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery, UUIDField
from django.utils import timezone

from portal.catalogue.models import PinnedApp, SchemaVersion
from portal.runs.models import Draft, Run
from portal.workspaces.models import Membership

MOST_BYTES = 256 * 1024


class DraftTooLarge(Exception):
    """More was filled in than a draft holds."""


def unsent(drafts: QuerySet[Draft]) -> QuerySet[Draft]:
    """Keep the drafts whose form was not sent."""
    sent = Run.objects.filter(workspace=OuterRef("member__workspace"), token=OuterRef("token"))
    return drafts.filter(~Exists(sent))


def with_draft(pins: QuerySet[PinnedApp], member: Membership) -> QuerySet[PinnedApp]:
    """Let the query that finds an app tell whether this member has begun its form, and from which run."""
    begun = unsent(Draft.objects.filter(member=member, pin=OuterRef("pk")))
    return pins.annotate(
        draft_id=Subquery(begun.values("pk")[:1]),
        draft_source=Subquery(begun.values("source_id")[:1], UUIDField()),
    )


def find_draft(pin: PinnedApp, *, source_id: uuid.UUID | None) -> Draft | None:
    """Return the draft that `with_draft` told of; with a source, only one that was begun from that run."""
    draft_id, draft_source = getattr(pin, "draft_id", None), getattr(pin, "draft_source", None)
    if draft_id is None or source_id not in (None, draft_source):
        return None
    return Draft.objects.select_related("schema", "source").defer("schema__detail").filter(pk=draft_id).first()


def keep(
    *,
    member: Membership,
    pin: PinnedApp,
    schema: SchemaVersion,
    inputs: dict[str, Any],
    outputs_wanted: list[str],
    token: uuid.UUID,
    source: Run | None = None,
) -> Draft:
    """Save what is filled in, in the place of what was; raises DraftTooLarge."""
    if len(json.dumps(inputs)) > MOST_BYTES:
        raise DraftTooLarge
    draft = Draft(
        member=member,
        pin=pin,
        schema=schema,
        inputs=inputs,
        outputs_wanted=outputs_wanted,
        token=token,
        source=source,
        updated_at=timezone.now(),
    )
    # One statement: two devices that save at the same moment leave one of the two, and no error.
    Draft.objects.bulk_create(
        [draft],
        update_conflicts=True,
        unique_fields=["member", "pin"],
        update_fields=["schema", "inputs", "outputs_wanted", "token", "source", "updated_at"],
    )
    return draft


def drop(member: Membership, pin: PinnedApp, *, token: uuid.UUID | None = None) -> None:
    """Forget what this member has begun of an app's form; with a token, only in that very form."""
    drafts = Draft.objects.filter(member=member, pin=pin)
    (drafts.filter(token=token) if token else drafts).delete()
