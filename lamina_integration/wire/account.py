"""The account behind a key, its credits and limits, and the keys Lamina signs with."""

from __future__ import annotations

from typing import Annotated, Any

from lamina_integration.wire.base import (
    OBJECT,
    OBJECTS,
    Id,
    MaybeText,
    Number,
    Text,
    Whole,
    Wire,
    before,
    first_of,
    mapping,
)


class Usage(Wire):
    """Credits of the workspace and the request limit of this address; None is unknown."""

    balance: Number = None
    total_earned: Number = None
    total_spent: Number = None
    limit: Whole = None
    window_ms: Whole = None

    @before
    def _flatten(data: dict[str, Any]) -> dict[str, Any]:
        return {**mapping(data.get("credits")), **mapping(data.get("rateLimit")), **data}


class SigningKey(Wire):
    """One public key that deliveries are signed with; `x` is the raw key in unpadded base64url."""

    x: Id
    kid: Text = ""
    kty: Text = "OKP"
    crv: Text = "Ed25519"
    use: Text = "sig"
    alg: Text = "EdDSA"


class Named(Wire):
    """Something that is chosen by name: a brand profile, a campaign."""

    id: Id
    name: Text = ""


class Member(Wire):
    """The person behind a key."""

    id: Text = ""
    email: MaybeText = None


class Membership(Wire):
    """A workspace, and what a person is in it."""

    id: Text = ""
    name: MaybeText = None
    slug: MaybeText = None
    role: MaybeText = None

    @before
    def _rename(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "id": first_of(data, "id", "workspaceId")}


class AccountDetail(Wire):
    """Who a key belongs to; `workspace` is None for a key without one."""

    user: Annotated[Member | None, OBJECT] = None
    workspace: Annotated[Membership | None, OBJECT] = None
    memberships: Annotated[tuple[Membership, ...], OBJECTS] = ()
