"""The client for Lamina's API: its endpoints in groups, as the API groups them."""

from lamina_integration.client.sync import LaminaClient

__all__ = ["LaminaClient"]
