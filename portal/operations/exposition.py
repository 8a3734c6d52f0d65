"""The figures in Prometheus' text format, computed when they are asked for: any process says the same."""

from collections.abc import Iterator, Mapping

from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from portal.operations.broker import BrokerState
from portal.operations.figures import Figures, figures
from portal.operations.health import Health, look


class Snapshot:
    """One look at the portal, as a collector; what cannot be reached is left out and shown as down."""

    def __init__(self, health: Health, found: Figures | None) -> None:
        self.health, self.found = health, found

    def collect(self) -> Iterator[Metric]:
        """Yield everything that is known."""
        yield from _health(self.health)
        if self.health.broker:
            yield from _broker(self.health.broker)
        if self.found:
            yield from _figures(self.found)


def exposition() -> bytes:
    """Return what a monitor reads."""
    health = look()
    registry = CollectorRegistry()
    registry.register(Snapshot(health, figures() if health.findings["database"].ok else None))
    return generate_latest(registry)


def _health(health: Health) -> Iterator[Metric]:
    known = {name: finding.ok for name, finding in health.findings.items() if finding.ok is not None}
    yield _by("portal_dependency_up", "Whether a dependency is well.", "name", known)
    silence = health.findings["lamina"].age_seconds
    yield from _one("portal_lamina_last_answer_seconds", "Since Lamina last gave an answer.", silence)


def _broker(broker: BrokerState) -> Iterator[Metric]:
    idle = {lane: seconds for lane, seconds in broker.idle_seconds.items() if seconds is not None}
    yield _by("portal_queue_length", "Tasks that wait in a lane.", "lane", broker.queued)
    yield _by("portal_lane_idle_seconds", "Since a worker of a lane last finished a task.", "lane", idle)
    yield from _one("portal_request_budget_limit", "Requests a minute to Lamina.", settings.LAMINA_RATE_LIMIT)
    ahead, held = broker.budget_ahead_seconds, broker.budget_held_seconds
    yield from _one("portal_request_budget_ahead_seconds", "How far ahead requests are promised.", ahead)
    yield from _one("portal_request_budget_held_seconds", "How long Lamina told everybody to wait.", held)
    yield from _one("portal_lamina_away", "Whether calls are held back as the last had no answer.", broker.is_away)
    yield from _one("portal_lamina_away_seconds", "Until Lamina is tried again.", broker.away_seconds)
    yield from _one("portal_runs_watched", "Runs on open pages.", broker.watched)
    yield from _one("portal_runs_streamed", "Runs whose news comes by a stream.", broker.streamed)


def _figures(found: Figures) -> Iterator[Metric]:
    yield _by("portal_runs", "Runs by state.", "state", found.runs)
    oldest = found.oldest_unsettled_seconds or 0
    yield from _one("portal_oldest_unsettled_run_seconds", "Age of the oldest run that is still waited for.", oldest)
    yield from _one("portal_unconfirmed_runs", "Runs that were sent and never answered.", found.unconfirmed)
    told = "Runs that Lamina began a second time for one of ours, as the ledger counts them."
    yield from _one("portal_second_runs", told, found.second_runs)
    told = "Those of them that nobody of staff has dealt with yet."
    yield from _one("portal_second_runs_not_dealt_with", told, found.second_runs_not_dealt_with)
    lag = found.webhook_lag_p95_seconds
    yield from _one("portal_webhook_lag_p95_seconds", "Signature to arrival, 95 % of the last hour.", lag)
    yield _by("portal_settled_runs", "Runs settled in the last hour, by who told.", "told_by", found.settled)
    share = found.settled_by_sweep
    yield from _one("portal_settled_by_sweep_ratio", "Share of our own check, of it and deliveries.", share)
    yield _by("portal_deliveries", "Deliveries of the last hour by verdict.", "verdict", found.deliveries)
    yield from _one("portal_delivery_repeats", "Repeats of the last hour's deliveries.", found.repeats)
    yield _by("portal_deliveries_rejected", "Deliveries of the last hour that were refused.", "reason", found.rejected)
    yield _by("portal_runs_waiting", "Runs to send, by lane.", "lane", found.waiting)
    yield from _one("portal_deliveries_unapplied", "Deliveries that are not applied.", found.unapplied)
    yield from _one("portal_outputs_to_copy", "Outputs that wait for a copy.", found.copies_waiting)


def _one(name: str, text: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        metric.add_metric([str(key)], value)
    return metric
