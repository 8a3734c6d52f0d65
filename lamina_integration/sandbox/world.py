"""Everything one stand-in consists of, put together; the ways in (api, control) reach all of it here."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lamina_integration.sandbox import catalogue, models
from lamina_integration.sandbox.accounts import Accounts
from lamina_integration.sandbox.assets import Assets
from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.sandbox.clock import Clock
from lamina_integration.sandbox.courier import Courier
from lamina_integration.sandbox.keeping import Keeper
from lamina_integration.sandbox.knobs import Dice, KnobError
from lamina_integration.sandbox.ledger import Ledger, latest
from lamina_integration.sandbox.limits import Windows
from lamina_integration.sandbox.media.make import sample
from lamina_integration.sandbox.player import Player
from lamina_integration.sandbox.runs import Run, Runs, restored
from lamina_integration.sandbox.settings import Settings
from lamina_integration.sandbox.signing import Keys
from lamina_integration.sandbox.studio import PLAIN, Studio
from lamina_integration.sandbox.times import iso

logger = logging.getLogger("lamina.sandbox")


class World:
    """One stand-in's apps, keys, runs, files, knobs and ledger."""

    def __init__(self, settings: Settings, *, base_url: str) -> None:
        self.settings = settings
        self.base_url = base_url
        self.knobs = settings.knobs
        self.catalogue = catalogue.load(settings.apps, base_url=base_url, builtin=settings.builtin_apps)
        self._is_temporary = settings.data is None
        self._root = settings.data or Path(tempfile.mkdtemp(prefix="lamina-sandbox-"))
        self._root.mkdir(parents=True, exist_ok=True)
        self._keeper = None if settings.data is None else Keeper(self._root, base_url=base_url)
        self.keys = Keys(self._root)
        self.clock = Clock(speed=self.knobs.speed, manual=self.knobs.manual)
        self.dice = Dice(seed=self.knobs.seed)
        self.windows = Windows()
        self.studio = Studio(self)
        self.courier = Courier(self)
        self.down_until = 0.0
        self.door: Callable[[float], Awaitable[None]] = self._play_dead  # a server closes its port as well
        self._begin()

    def _begin(self) -> None:
        self.accounts = Accounts(self.settings.keys, credits=self.settings.credits)
        self.ledger = Ledger(keep=self.keep)
        self.rules = self.settings.scenario.begun()
        self.posts: dict[str, list[dict[str, Any]]] = {}
        self.runs = Runs()
        self.player = Player(self)
        self.assets = Assets(self, secret=self.keys.upload_secret)

    def turn(self, changes: Mapping[str, Any]) -> None:
        """Turn some knobs; raises KnobError and turns none when one does not fit."""
        knobs = self.knobs.changed(changes)
        if knobs.seed != self.knobs.seed or "seed" in changes:
            self.dice = Dice(seed=knobs.seed)
        if (knobs.speed, knobs.manual) != (self.knobs.speed, self.knobs.manual):
            self.clock.change(speed=knobs.speed, manual=knobs.manual)
        if (knobs.limit, knobs.window) != (self.knobs.limit, self.knobs.window):
            self.windows.forget()
        self.knobs = knobs
        was, now = self.settings.knobs.as_dict(), knobs.as_dict()
        turned = [name for name in now if now[name] != was[name] and name != "down"]
        record = {"from": {name: was[name] for name in turned}, "to": {name: now[name] for name in turned}}
        self.keep("knobs", "turned", record)

    def _turn_again(self, record: dict[str, Any]) -> None:
        """Turn the knobs that were turned before a restart, but those the stand-in is now started with another way."""
        started_with = json.loads(json.dumps(self.settings.knobs.as_dict()))
        kept = {name: to for name, to in record["to"].items() if started_with.get(name) == record["from"][name]}
        try:
            self.turn(kept)
        except KnobError as error:
            logger.warning("The knobs of the last time are left as they were: %s", error)

    async def _play_dead(self, seconds: float) -> None:
        self.down_until = time.monotonic() + seconds

    async def reset(self) -> None:
        """Forget every run, upload, post, request, turned knob and key that was let in since; signing keys stay."""
        await self.clock.stop()
        self.knobs = self.settings.knobs
        self.clock = Clock(speed=self.knobs.speed, manual=self.knobs.manual)
        self.dice = Dice(seed=self.knobs.seed)
        self.windows.forget()
        made = [path for path in self.folder("media").iterdir() if path.name != PLAIN]
        for path in (*made, self._root / "assets", self._root / "fetched"):
            shutil.rmtree(path, ignore_errors=True)
        self.studio.forget()
        if self._keeper:
            self._keeper.forget()
        self._begin()

    async def stop(self) -> None:
        """End everything; without a data folder nothing is left behind."""
        await self.clock.stop()
        await self.courier.stop()
        self.studio.stop()
        if self._keeper:
            self._keeper.close()
        if self._is_temporary:
            shutil.rmtree(self._root, ignore_errors=True)

    def folder(self, *names: str) -> Path:
        """Return a folder for files, made if need be."""
        folder = self._root.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def sample(self, name: str) -> Path | None:
        """Return a sample picture's file; it is drawn on first use."""
        path = self._root / "samples" / f"{Path(name).name}.jpg"
        return path if path.is_file() else await self.studio.heavy(sample, name, self._root / "samples")

    def media_url(self, path: Path) -> str:
        """Return the address a made file is served at."""
        return f"{self.base_url}/media/{quote(path.relative_to(self._root / 'media').as_posix())}"

    def media_path(self, relative: str) -> Path | None:
        """Return the made file at a path below /media/, if there is one."""
        root = (self._root / "media").resolve()
        path = (root / relative).resolve()
        return path if path.is_file() and path.is_relative_to(root) else None

    def charge(self, run: Run, credits: float) -> None:
        """Take what an output costs from the run's workspace."""
        workspace = self.accounts.workspaces[run.workspace]
        workspace.spent = round(workspace.spent + credits, 2)
        run.spent = round(run.spent + credits, 2)
        self.ledger.note(
            "charge", {"runId": run.run_id, "workspace": workspace.slug, "credits": credits, "time": iso()}
        )

    def post(self, workspace: str, post: dict[str, Any]) -> None:
        """Remember what was published, also after a restart."""
        self.posts.setdefault(workspace, []).insert(0, post)
        self.keep("post", post["id"], {"workspace": workspace, "post": post})

    def top_up(self, slug: str, credits: float) -> None:
        """Give a workspace further credits; raises KeyError for one that is not there."""
        workspace = self.accounts.workspaces[slug]
        workspace.earned = round(workspace.earned + credits, 2)
        self.ledger.note("topup", {"workspace": slug, "credits": credits, "time": iso()})

    def let_in(self, key: str) -> None:
        """Let a further key in, also after a restart; raises ValueError for what is no key."""
        self.accounts.add(key)
        self.keep("key", key.partition("=")[0], {"key": key, "revoked": False})

    def lock_out(self, key: str) -> None:
        """Let a key in no more, also after a restart."""
        if caller := self.accounts.find(key):
            self.accounts.revoke(key)
            self.keep("key", key, {"key": f"{key}={caller.workspace.slug}", "revoked": True})

    def find_offered(self, run: Run) -> OfferedApp | None:
        """Return what a run is a run of: an app, or a model played as one."""
        return self.catalogue.find(run.app_id, run.workspace) or models.as_app(run.app_id)

    def keep_run(self, run: Run) -> None:
        """Write a run down for after a restart."""
        if self._keeper:
            self._keeper.write("run", run.run_id, asdict(run))

    def keep(self, kind: str, identity: str, record: dict[str, Any]) -> None:
        """Write a record down for after a restart."""
        if self._keeper:
            self._keeper.write(kind, identity, record)

    def drop(self, kind: str, identity: str) -> None:
        """Write down no longer what has come to its end."""
        if self._keeper:
            self._keeper.drop(kind, identity)

    def resume(self) -> None:
        """Take up what was written down; runs and deliveries that had not ended go on from where they stood."""
        if self._keeper is None:
            return
        for record in list(self._keeper.read("knobs")):
            self._turn_again(record)
        for record in self._keeper.read("key"):
            self.accounts.add(record["key"])  # its workspace has runs, whether or not the key still opens it
            if record["revoked"]:
                self.accounts.revoke(record["key"].partition("=")[0])
        for record in self._keeper.read("asset"):
            self.assets.restore(record)
        for record in self._keeper.read("post"):
            self.posts.setdefault(record["workspace"], []).insert(0, record["post"])
        for name in ("start", "delivery", "upload", "charge", "refinement", "topup"):
            self.ledger.restore(name, self._keeper.read(name))
        for topup in self.ledger.topups:
            if workspace := self.accounts.workspaces.get(topup["workspace"]):
                workspace.earned = round(workspace.earned + topup["credits"], 2)
        for record in self._keeper.read("run"):
            run = restored(record)
            workspace = self.accounts.workspaces.get(run.workspace)
            if workspace is None:
                continue
            workspace.spent = round(workspace.spent + run.spent, 2)
            self.runs.add(run)
            if not run.is_terminal:
                self.player.play(run)
        for record in list(self._keeper.read("owed")):
            if owing := self.runs.find(record["runId"]):
                self.courier.resume(owing, record)

    def as_ledger(self, last: int | None = None) -> dict[str, Any]:
        """Return the ledger with how every run (or the last so many) and every workspace's credits stand."""
        return self.ledger.as_dict(last) | {
            "runs": [
                run.as_summary()
                | {"workspace": run.workspace, "kind": run.kind, "spent": run.spent, "webhook": run.webhook}
                | {"outputs": [output.as_wire() for output in run.outputs]}
                for run in latest(list(self.runs), last)
            ],
            "totals": {"runs": len(self.runs), "deliveries": len(self.ledger.deliveries)},
            "credits": {
                slug: {"balance": workspace.balance, "earned": workspace.earned, "spent": workspace.spent}
                for slug, workspace in self.accounts.workspaces.items()
            },
        }
