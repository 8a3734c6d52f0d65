"""The client for Lamina's API: its endpoints in groups, as the API groups them."""

from lamina_integration.client.asynchronous import AsyncLaminaClient
from lamina_integration.client.sync import LaminaClient
from lamina_integration.client.waiting import IMAGE, MULTI_STEP, VIDEO, By

__all__ = ["IMAGE", "MULTI_STEP", "VIDEO", "AsyncLaminaClient", "By", "LaminaClient"]
