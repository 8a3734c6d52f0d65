"""Lamina's HTTP API in plain Python: a typed client, its errors and its webhooks, and a stand-in to try it on.

Nothing here knows of Django or of the portal. Whatever is known about Lamina's wire is known here
and nowhere else.
"""

from lamina_integration.client import AsyncLaminaClient, By, LaminaClient
from lamina_integration.errors import (
    DeliveryMalformed,
    DeliveryRejected,
    DeliveryStale,
    DeliveryUnsigned,
    InputProblem,
    LaminaAuthError,
    LaminaAway,
    LaminaBudgetSpent,
    LaminaError,
    LaminaInsufficientCredits,
    LaminaInvalidInputs,
    LaminaNotFound,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaRunUnfinished,
    LaminaUnreachable,
)
from lamina_integration.limits import Lane, RequestBudget
from lamina_integration.wire import (
    App,
    AppSummary,
    Estimate,
    OutputSpec,
    Page,
    Parameter,
    RemoteOutput,
    RemoteRun,
    RunSummary,
    SigningKey,
    UploadFile,
    UploadTarget,
    Usage,
)

__all__ = [
    "App",
    "AppSummary",
    "AsyncLaminaClient",
    "By",
    "DeliveryMalformed",
    "DeliveryRejected",
    "DeliveryStale",
    "DeliveryUnsigned",
    "Estimate",
    "InputProblem",
    "LaminaAuthError",
    "LaminaAway",
    "LaminaBudgetSpent",
    "LaminaClient",
    "LaminaError",
    "LaminaInsufficientCredits",
    "LaminaInvalidInputs",
    "LaminaNotFound",
    "LaminaRateLimited",
    "LaminaResponseError",
    "LaminaRunUnfinished",
    "LaminaUnreachable",
    "Lane",
    "OutputSpec",
    "Page",
    "Parameter",
    "RemoteOutput",
    "RemoteRun",
    "RequestBudget",
    "RunSummary",
    "SigningKey",
    "UploadFile",
    "UploadTarget",
    "Usage",
]
