"""The stand-in: Lamina's HTTP API, played on this machine.

A real server over real HTTP, so that a client, a portal and their tests meet timeouts, cut
connections and signed webhooks as they are. It keeps a ledger of everything it was asked, makes
its media from what it was given, and misbehaves on request (see `knobs`). Nothing here is used in
production, and nothing here knows Django.

    python -m lamina_integration.sandbox --help

Beside what the client needs it wants Starlette and uvicorn, Pillow for its pictures and PyAV for its films:

    pip install starlette uvicorn Pillow av

    with Sandbox(speed=50, webhooks=True) as lamina:
        LaminaClient(base_url=lamina.url, api_key=lamina.api_key)
"""

from __future__ import annotations

try:
    from lamina_integration.sandbox.embedded import Sandbox
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
        raise
    needed = f"the stand-in needs {error.name}: pip install starlette uvicorn Pillow av"
    raise ModuleNotFoundError(needed, name=error.name) from None

__all__ = ["Sandbox"]
