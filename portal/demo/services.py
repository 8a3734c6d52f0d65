"""The demo's processes as command lines, and the environment they share."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from portal import embedded
from portal.demo.kept import Kept
from portal.demo.loopback import HOST, get_status
from portal.demo.options import Options
from portal.demo.processes import Service

LAMINA_KEY = "lma_demo_key"


def environment(options: Options, kept: Kept, *, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the processes: the person's own, with every setting of the portal made the demo's."""
    data = options.data
    stand_in = f"{HOST}:{kept.stand_in_port}"
    return {
        **inherited,
        "PORTAL_ENV": "development",
        "DEBUG": "off",
        "SECRET_KEY": kept.secret_key,
        "FIELD_ENCRYPTION_KEY": kept.field_encryption_key,
        "DATA_DIR": str(data),
        "STATIC_ROOT": str(data / "static"),
        "DATABASE_URL": f"sqlite:///{data / 'portal.sqlite3'}",
        "REDIS_URL": f"unix://{embedded.socket_path(data)}",
        "LAMINA_BASE_URL": f"http://{stand_in}",
        "LAMINA_API_KEY": LAMINA_KEY,
        "LAMINA_RATE_LIMIT": "100",
        "LAMINA_MEDIA_HOSTS": stand_in,
        "PORTAL_PUBLIC_URL": f"http://{HOST}:{options.port}",
        "ALLOWED_HOSTS": f"localhost,{HOST},[::1]",
        "MEDIA_STORAGE_URL": f"file://{data / 'media'}",
        "MEDIA_ORIGINS": "",
        # A large photo takes a hundred megabytes while it is worked on: one after the other, on a small machine.
        "MEDIA_WORKED_ON_AT_ONCE": "1",
        "EMAIL_URL": "consolemail://",
        "SENTRY_DSN": "",
        "RELEASE": "",
        "METRICS_TOKEN": "",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        # Each thread would otherwise keep a heap of its own: half as much memory again.
        "MALLOC_ARENA_MAX": "2",
        # And what a picture took goes back to the system when it is done, not to the process's own store.
        "MALLOC_MMAP_THRESHOLD_": "131072",
        "MALLOC_TRIM_THRESHOLD_": "131072",
        "PYTHONUNBUFFERED": "1",
    }


def services(options: Options, kept: Kept) -> dict[str, Service]:
    """Return the processes by name."""
    python, data, lamina_port = sys.executable, options.data, kept.stand_in_port
    found = [
        Service(
            name="valkey",
            command=embedded.command(data),
            answers=lambda: embedded.is_answering(embedded.socket_path(data)),
            stop_within_seconds=5,
        ),
        Service(
            name="stand-in",
            command=[
                *(python, "-m", "lamina_integration.sandbox", "--host", HOST, "--port", str(lamina_port)),
                *("--data", str(data / "lamina"), "--key", LAMINA_KEY, "--speed", f"{options.speed:g}"),
                *("--webhooks", "on" if options.webhooks else "off"),
                *(("--apps", str(options.apps)) if options.apps else ()),
            ],
            answers=lambda: get_status(lamina_port, "/_sandbox/healthz") == 200,
            stop_within_seconds=3,
        ),
        Service(
            name="web",
            command=[
                *(python, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(options.port)),
                *("--workers", "1", "--runtime-threads", "1", "--blocking-threads", "8"),
                "portal.wsgi:application",
            ],
            answers=lambda: get_status(options.port, "/healthz") == 200,
            stop_within_seconds=8,
        ),
        Service(
            name="worker",
            command=[
                *(python, "-m", "celery", "-A", "portal", "worker", "-n", "portal@%h", "-l", "INFO"),
                *("--pool", "threads", "--concurrency", "20"),
                *("-Q", "interactive,inbox,tracking,batch,media,refinement", "--without-gossip", "--without-mingle"),
            ],
            answers=lambda: is_worker_listening(embedded.socket_path(data)),
            stop_within_seconds=8,
        ),
        Service(
            name="beat",
            command=[
                *(python, "-m", "celery", "-A", "portal.beat", "beat", "-l", "INFO"),
                *("--pidfile", "", "-s", str(data / "beat-schedule")),
            ],
            answers=lambda: True,
            stop_within_seconds=5,
        ),
    ]
    return {service.name: service for service in found}


def is_worker_listening(broker: Path) -> bool:
    """Tell whether a worker takes orders: only workers subscribe to patterns at the broker."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(os.fspath(broker))
            client.sendall(b"PUBSUB NUMPAT\r\n")
            answer = client.recv(32).strip()
        except OSError:
            return False
    return answer.startswith(b":") and int(answer[1:]) > 0
