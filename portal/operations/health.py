"""Whether what the portal stands on answers: each dependency by itself, within a fixed time.

A probe runs in a thread of its own, because a dependency that hangs hangs whoever asks it. One that
still hangs from an earlier question is not asked again, so that threads do not pile up. Lamina is
never asked: workers note when it last answered, and rows tell roughly where Redis was emptied.
"""

import logging
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import Max
from django.utils import timezone

from portal.catalogue.models import App
from portal.operations.broker import BrokerState, broker_state
from portal.runs.models import Run, SigningKey
from portal.workspaces.models import Workspace

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.5
WORKER_SILENT_SECONDS = 45  # with beat's 15 a worker that is stuck is noticed within a minute
LAMINA_SILENT_SECONDS = 1500  # it is asked for credits and schemas every 600, whatever else happens
LAMINA_AWAY_SECONDS = 60  # while calls are held back because one after the other had no answer


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one dependency: it is well, it is not, or nothing can be said (None)."""

    ok: bool | None
    age_seconds: int | None = None
    details: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """All findings, and what Redis said on the way."""

    findings: dict[str, Finding]
    broker: BrokerState | None

    @property
    def is_ready(self) -> bool:
        """Return whether nothing is known to be wrong."""
        return all(finding.ok is not False for finding in self.findings.values())


_going: dict[str, Future[Any]] = {}
_going_lock = threading.Lock()


def look() -> Health:
    """Ask every dependency at once and return what is known when the time is up."""
    asked = {"database": _start("database", last_answer), "broker": _start("broker", broker_state)}
    asked["disk"] = _start("disk", free_bytes)
    wait(asked.values(), timeout=PATIENCE_SECONDS)
    answers = {name: _answer(name, future) for name, future in asked.items()}
    broker = answers["broker"][1]
    return Health(
        findings={
            "database": Finding(answers["database"][0]),
            "broker": Finding(answers["broker"][0]),
            "worker": worker_finding(broker),
            "lamina": lamina_finding(answers["database"][1], broker),
            "disk": Finding(answers["disk"][0] and answers["disk"][1] >= settings.DISK_LOW_BYTES),
        },
        broker=broker,
    )


def worker_finding(broker: BrokerState | None) -> Finding:
    """Return whether every lane has a worker that works; without the broker nobody can say."""
    if broker is None:
        return Finding(None)
    ages = {lane: None if idle is None else round(idle) for lane, idle in broker.idle_seconds.items()}
    known = [age for age in ages.values() if age is not None]
    all_work = len(known) == len(ages) and max(known) <= WORKER_SILENT_SECONDS
    return Finding(all_work, age_seconds=max(known, default=None), details=ages)


def lamina_finding(answered_at: datetime | None, broker: BrokerState | None) -> Finding:
    """Return whether Lamina has answered lately; not known before the first answer, or where nobody can tell.

    Where it was asked again and again for a minute, and never answered, that is known; where nobody has
    asked, its silence counts only after it must have been asked twice.
    """
    ages = [max((timezone.now() - answered_at).total_seconds(), 0.0)] if answered_at else []
    if broker and broker.answered_seconds is not None:
        ages.append(broker.answered_seconds)
    if not ages:
        return Finding(None)
    patience = LAMINA_AWAY_SECONDS if broker and broker.is_away else LAMINA_SILENT_SECONDS
    return Finding(min(ages) <= patience, age_seconds=round(min(ages)))


def last_answer() -> datetime | None:
    """Return when Lamina last gave an answer that was of use, as far as rows remember."""
    told = [
        Workspace.objects.aggregate(at=Max("credits_checked_at"))["at"],
        App.objects.filter(refresh_error="").aggregate(at=Max("refreshed_at"))["at"],
        SigningKey.objects.aggregate(at=Max("fetched_at"))["at"],
        *Run.objects.remote().aggregate(checked=Max("checked_at"), accepted=Max("accepted_at")).values(),
    ]
    return max((at for at in told if at), default=None)


def free_bytes() -> int:
    """Return the room that is left where the portal keeps its files."""
    return shutil.disk_usage(Path(settings.DATA_DIR)).free


def _start(name: str, probe: Callable[[], Any]) -> "Future[Any]":
    """Begin a probe, or join the one that is still going."""
    with _going_lock:
        going = _going.get(name)
        if going is None or going.done():
            going = _going[name] = Future()
            threading.Thread(target=_probe, args=(going, probe), name=f"probe-{name}", daemon=True).start()
        return going


def _probe(future: "Future[Any]", probe: Callable[[], Any]) -> None:
    try:
        answer = probe()
    except Exception as error:
        # Whatever it is, it is the answer to "are you well?".
        future.set_exception(error)
    else:
        future.set_result(answer)
    finally:
        connections.close_all()


def _answer(name: str, future: "Future[Any]") -> tuple[bool, Any]:
    if not future.done():
        logger.warning("dependency hangs name=%s", name)
        return False, None
    if error := future.exception():
        logger.warning("dependency is away name=%s error=%s", name, type(error).__name__)
        return False, None
    return True, future.result()
