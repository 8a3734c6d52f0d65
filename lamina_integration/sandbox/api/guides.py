"""Templates, brand profiles and campaigns: short lists that other calls refer to."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox.api.answers import data
from lamina_integration.sandbox.refusals import not_found


def _guide(
    identity: str, name: str, category: str, modalities: list[str], parts: list[tuple[str, str, str]], said: list[str]
) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "description": f"{name}: what to show and what to leave out.",
        "category": category,
        "suggestedModalities": modalities,
        "suggestedPlatforms": ["instagram", "tiktok"] if "video" in modalities else ["instagram"],
        "guidanceData": {
            "promptDirectives": said,
            "negativePrompts": ["no borders"],
            "winningPatterns": ["seen in use"],
            "testIdeas": ["inside against outside"],
            "creativeStructure": None,
        },
        "multiAssetComposition": [
            {"role": role, "modality": modality, "description": text} for role, modality, text in parts
        ],
        "isBuiltIn": True,
    }


GUIDES = {
    guide["id"]: guide
    for guide in (
        _guide(
            "tmpl-new-arrival", "New arrival", "launch", ["image"],
            [("hero", "image", "The product alone"), ("caption", "text", "One sentence and where to find it")],
            ["Name the product first"],
        ),
        _guide(
            "tmpl-behind-the-bench", "Behind the bench", "engagement", ["video"],
            [("clip", "video", "Hands at work")], ["Keep the sound of the work"],
        ),
    )
}  # fmt: skip


async def list_guides(request: Request) -> Response:
    """Return all templates."""
    return data(list(GUIDES.values()))


async def get_guide(request: Request) -> Response:
    """Return one template."""
    guide = GUIDES.get(request.path_params["template_id"])
    if guide is None:
        raise not_found("Template")
    return data(guide)


async def brand_profiles(request: Request) -> Response:
    """Return the brand profiles."""
    return data([{"id": "5a4d0000-0000-4000-9000-000000000201", "name": "House brand"}])


async def campaigns(request: Request) -> Response:
    """Return the campaigns."""
    return data([{"id": "5a4d0000-0000-4000-9000-000000000301", "name": "Autumn"}])


routes = [
    Route("/v1/templates", list_guides, methods=["GET"]),
    Route("/v1/templates/{template_id}", get_guide, methods=["GET"]),
    Route("/v1/brand-profiles", brand_profiles, methods=["GET"]),
    Route("/v1/campaigns", campaigns, methods=["GET"]),
]
