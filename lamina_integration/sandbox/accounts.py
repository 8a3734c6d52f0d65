"""Who may call: keys, the workspaces they belong to, and the credits these have left."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

NAMESPACE = uuid.UUID("6f5f3c38-6a2b-4f0c-8a55-6f4d8a1d2f10")


@dataclass(kw_only=True)
class Workspace:
    """A tenant: its runs, its private apps and its credits are its own."""

    slug: str
    earned: float
    spent: float = 0.0

    @property
    def workspace_id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, f"workspace:{self.slug}"))

    @property
    def user_id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, f"user:{self.slug}"))

    @property
    def name(self) -> str:
        return self.slug.replace("-", " ").title()

    @property
    def balance(self) -> float:
        return round(self.earned - self.spent, 2)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The key a request came with and the workspace behind it."""

    key: str
    workspace: Workspace


class Accounts:
    """All keys and workspaces. A key is written `KEY` or `KEY=workspace`."""

    def __init__(self, keys: Iterable[str], *, credits: float) -> None:
        self.workspaces: dict[str, Workspace] = {}
        self._by_key: dict[str, Workspace] = {}
        self._credits = credits
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """Let a key in; its workspace comes into being with the first key that names it."""
        secret, _, slug = key.partition("=")
        slug = slug or "example-shop"
        if not secret or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug):
            raise ValueError(f"a key is written KEY or KEY=workspace-name, not {key!r}")
        workspace = self.workspaces.setdefault(slug, Workspace(slug=slug, earned=self._credits))
        self._by_key[secret] = workspace

    def revoke(self, key: str) -> None:
        """Let a key in no more."""
        self._by_key.pop(key, None)

    def find(self, key: str) -> Caller | None:
        """Return who calls with this key."""
        workspace = self._by_key.get(key)
        return Caller(key=key, workspace=workspace) if workspace else None

    @property
    def keys(self) -> list[str]:
        return list(self._by_key)
