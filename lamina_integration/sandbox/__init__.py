"""The stand-in: Lamina's HTTP API, played on this machine.

A real server over real HTTP, so that a client, a portal and their tests meet timeouts, cut
connections and signed webhooks as they are. It keeps a ledger of everything it was asked, makes
its media from what it was given, and misbehaves on request (see `knobs`). Nothing here is used in
production, and nothing here knows Django.

    python -m lamina_integration.sandbox --help

    with Sandbox(speed=50, webhooks=True) as lamina:
        LaminaClient(base_url=lamina.url, api_key=lamina.api_key)
"""

from __future__ import annotations

from lamina_integration.sandbox.embedded import Sandbox

__all__ = ["Sandbox"]
