"""The overview's parts in words and tones, so that its template only places them."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from portal.operations.broker import BrokerState
from portal.operations.figures import Figures
from portal.operations.health import WORKER_SILENT_SECONDS, Finding, Health
from portal.operations.looking import InTurn, Kind, Matter, RunRow
from portal.operations.overview import LaneRow
from portal.operations.waiting import Sending
from portal.operations.words import age_text, lag_text, share_text
from portal.runs.states import Teller
from portal.workspaces.budgets import BudgetState
from portal.workspaces.models import Workspace
from portal.workspaces.words import used_text

# Beyond these a number is worth a look; seconds, seconds, share.
OLDEST_WARNS_SECONDS = 30 * 60
LAG_WARNS_SECONDS = 30
SWEEP_WARNS_SHARE = 0.5
SENDING_WARNS_SECONDS = 10
# How the admin's list of runs, or of second runs, is told to show all of them, the oldest first.
IN_ADMIN = {
    Kind.UNCONFIRMED: "status__exact=unconfirmed&o=6",
    Kind.UNKNOWN: "error_code__exact=unknown_state&o=6",
    Kind.MISSING: "error_code__exact=missing&o=6",
    Kind.SECOND: "dealt_with=no&o=2",
    Kind.ATTENTION: "status__exact=needs_attention&o=6",
    Kind.LATE: "status__in=queued,running&o=6",
    Kind.SENDING: "status__exact=submitting&o=6",
    Kind.WAITING: "status__exact=waiting&lane__exact=interactive&o=6",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A number in large type: its name, what it says of it in words, and whether it is a worry."""

    name: str
    value: str
    hint: str
    tone: str


@dataclass(frozen=True, slots=True)
class DependencyRow:
    """A dependency and how it does."""

    name: str
    label: str
    tone: str
    detail: str


def figure_cards(found: Figures) -> list[Card]:
    """Return the four numbers."""
    oldest, lag, share = found.oldest_unsettled_seconds, found.webhook_lag_p95_seconds, found.settled_by_sweep
    return [
        Card(
            _("Oldest unsettled run"),
            age_text(oldest),
            _("since somebody pressed the button") if oldest is not None else _("nothing is going on"),
            "warn" if (oldest or 0) > OLDEST_WARNS_SECONDS else "good",
        ),
        Card(
            _("Webhook lag, p95"),
            lag_text(lag),
            _("from signature to arrival, last hour") if lag is not None else _("no delivery in the last hour"),
            "warn" if (lag or 0) > LAG_WARNS_SECONDS else "good",
        ),
        Card(
            _("Settled by our own check"),
            share_text(share),
            _("the rest by deliveries and streams, last hour")
            if share is not None
            else _("nothing was settled in the last hour"),
            "warn" if (share or 0) > SWEEP_WARNS_SHARE else "good",
        ),
        Card(
            _("Unconfirmed runs"),
            str(found.unconfirmed),
            _("sent, and no answer came"),
            "warn" if found.unconfirmed else "good",
        ),
    ]


def dependency_rows(health: Health) -> list[DependencyRow]:
    """Return each dependency in words."""
    names = {
        "database": _("Database"),
        "broker": _("Redis"),
        "worker": _("Workers"),
        "lamina": _("Lamina"),
        "disk": _("Disk"),
    }
    return [_dependency(names[key], key, finding) for key, finding in health.findings.items()]


def _dependency(name: str, key: str, finding: Finding) -> DependencyRow:
    label, tone = {
        True: (pgettext("dependency", "Well"), "good"),
        False: (pgettext("dependency", "Not well"), "bad"),
        None: (pgettext("dependency", "Not known"), "warn"),
    }[finding.ok]
    return DependencyRow(name, label, tone, _detail(key, finding))


def _detail(key: str, finding: Finding) -> str:
    if key == "lamina":
        if finding.age_seconds is None:
            return _("It has not been asked yet.")
        return _("Last answer %s ago") % age_text(finding.age_seconds)
    if key == "worker":
        silent = [lane for lane, age in finding.details.items() if age is None or age > WORKER_SILENT_SECONDS]
        if silent:
            return _("Nothing finished lately in: %s") % ", ".join(silent)
        return _("Every lane works") if finding.details else _("Without Redis nobody can say")
    if finding.ok is False:
        return _("Too little room is left") if key == "disk" else _("No answer in time")
    return _("Room enough") if key == "disk" else _("Answers")


def lane_rows(rows: list[LaneRow]) -> list[dict[str, object]]:
    """Return the lanes' table."""
    return [
        {
            "name": row.name,
            "queued": "–" if row.queued is None else row.queued,
            "worked": _("%s ago") % age_text(row.idle_seconds) if row.idle_seconds is not None else _("never"),
            "is_silent": row.idle_seconds is None or row.idle_seconds > WORKER_SILENT_SECONDS,
            "waiting": [
                {
                    "what": item.what,
                    "count": item.count,
                    "oldest": age_text(item.oldest_seconds),
                    "reasons": [
                        {"count": reason.count, "why": reason.why or _("Its turn has not come yet.")}
                        for reason in item.reasons
                    ],
                }
                for item in row.waiting
            ],
        }
        for row in rows
    ]


def call_rows(broker: BrokerState | None, sending: Sending) -> list[DependencyRow]:
    """Return what lets calls to Lamina wait, and what is streamed; nothing where Redis cannot say."""
    if broker is None:
        return []
    held = broker.budget_held_seconds
    told = _("Lamina told everybody to wait, for %s more.") % age_text(held) if held else _("Lamina lets us ask.")
    ahead, limit = broker.budget_ahead_seconds, settings.LAMINA_RATE_LIMIT
    promised = _("Of %(limit)d requests a minute, those of the next %(ahead)s are promised.") % {
        "limit": limit,
        "ahead": age_text(ahead),
    }
    pages = _("%(streamed)d of %(watched)d runs on open pages have a stream.") % {
        "streamed": broker.streamed,
        "watched": broker.watched,
    }
    return [
        _answers(broker, max((seconds or 0.0 for _count, seconds in sending.values()), default=0.0)),
        DependencyRow(
            _("Rate limit"),
            pgettext("budget", "Held") if held else pgettext("budget", "Open"),
            "warn" if held else "good",
            told,
        ),
        DependencyRow(_("Promised"), age_text(ahead), "off", promised),
        DependencyRow(_("Streams"), str(broker.streamed), "off", pages),
    ]


def _answers(broker: BrokerState, sending_seconds: float) -> DependencyRow:
    """Tell whether Lamina answers, and when it last did: a call that hangs is neither answered nor refused."""
    name = _("Answers")
    last = _("No answer is known of yet.")
    if broker.answered_seconds is not None:
        last = _("The last answer came %s ago.") % age_text(broker.answered_seconds)
    if broker.away_seconds is not None:
        pause = _("The last calls had no answer. The next call tries again, alone.")
        if broker.away_seconds >= 1:
            told = _("The last calls had no answer. One call tries again in %s; the others wait.")
            pause = told % age_text(broker.away_seconds)
        return DependencyRow(name, pgettext("budget", "Away"), "bad", f"{pause} {last}")
    if sending_seconds > SENDING_WARNS_SECONDS:
        slow = _("A run has been on its way for %s.") % age_text(sending_seconds)
        return DependencyRow(name, pgettext("dependency", "Slow"), "warn", f"{last} {slow}")
    if broker.answered_seconds is None:
        return DependencyRow(name, pgettext("dependency", "Not known"), "warn", last)
    return DependencyRow(name, pgettext("dependency", "Well"), "good", last)


def look_groups(matters: list[Matter]) -> list[dict[str, object]]:
    """Return the lists of runs to look at, each saying when it is not the whole of it and where that is."""
    names = {
        Kind.UNCONFIRMED: _("Unconfirmed"),
        Kind.UNKNOWN: _("In a state we do not know"),
        Kind.MISSING: _("Not at Lamina any more"),
        Kind.SECOND: _("Begun twice"),
        Kind.ATTENTION: _("Needs attention"),
        Kind.LATE: _("Late"),
        Kind.SENDING: _("Being sent for long"),
        Kind.WAITING: _("Not sent yet"),
    }
    cut = _("%(what)s: the oldest %(shown)d of %(count)d are shown.")
    return [
        {
            "rows": [_look_row(row) for row in matter.rows],
            "cut": cut % {"what": names[matter.kind], "shown": len(matter.rows), "count": matter.count}
            if matter.count > len(matter.rows)
            else "",
            "query": IN_ADMIN[matter.kind],
            "is_of_seconds": matter.kind == Kind.SECOND,
        }
        for matter in matters
    ]


def _look_row(row: RunRow) -> dict[str, object]:
    """Return a row for the template; a second run stands in for a run of ours that was pruned."""
    return {
        "run": row.run,
        "named": row.run or row.second,
        "second": row.second,
        "label": row.label,
        "tone": row.tone,
        "why": row.why,
        "age": age_text(row.age_seconds),
    }


def in_turn_text(found: InTurn) -> str:
    """Return how many runs wait and need nobody; empty when none does."""
    if not found.count:
        return ""
    told = ngettext(
        "%(count)d more run waits only for its turn in a batch or for the end of a brake, for %(age)s.",
        "%(count)d more runs wait only for their turn in a batch or for the end of a brake, the first for %(age)s.",
        found.count,
    )
    return told % {"count": found.count, "age": age_text(found.oldest_seconds)}


def key_groups(refused: list[Workspace]) -> dict[str, object]:
    """Return the workspaces whose own key is refused, and whether the portal's is: staff mend them elsewhere."""
    own = [workspace for workspace in refused if workspace.lamina_api_key]
    return {"own": own, "ours": len(own) < len(refused)}


def again_text(tellers: list[str]) -> str:
    """Return how often a run was sent again after nobody had answered, by whoever said that it was not there."""
    by_staff = tellers.count(Teller.STAFF)
    if not by_staff:
        return str(len(tellers))
    return _("%(count)d, by staff: %(by_staff)d") % {"count": len(tellers), "by_staff": by_staff}


def budget_rows(rows: list[tuple[Workspace, BudgetState]]) -> list[dict[str, object]]:
    """Return the workspaces whose budget is nearly or wholly used."""
    return [
        {
            "workspace": workspace,
            "percent": state.percent,
            "tone": "bad" if state.is_used_up else "warn",
            "text": used_text(state),
        }
        for workspace, state in rows
    ]
