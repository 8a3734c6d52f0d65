"""Intelligence: what the brand is like, what may work, what is in fashion. Composed, and the same each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.sandbox.api.answers import data, whole_number
from lamina_integration.sandbox.api.asked import asked
from lamina_integration.sandbox.gate import caller_of, world_of
from lamina_integration.sandbox.times import iso


async def brand_context(request: Request) -> Response:
    """Return the brand's character; a workspace that has made nothing yet has none."""
    made = world_of(request).runs.newest(workspace=caller_of(request).workspace.slug, status="completed")
    if not made:
        return data({"brandDna": None, "guidance": None, "topPatterns": None})
    most = whole_number(request, "topK", default=10, low=1, high=100)
    items = [
        {
            "id": run.run_id,
            "title": run.app_name,
            "modality": run.outputs[0].kind if run.outputs else None,
            "platform": request.query_params.get("platform"),
            "performanceScore": round(6 + sum(run.run_id.encode()) % 35 / 10, 1),
            "winningPatterns": ["one clear subject"],
        }
        for run in made[:most]
    ]
    return data({"brandDna": BRAND, "guidance": GUIDANCE, "topPatterns": {"topItems": items, **PATTERNS}})


BRAND: dict[str, Any] = {
    "voiceAttributes": ["plain", "friendly"],
    "visualIdentity": ["daylight", "natural materials"],
    "contentPillars": ["how it is made", "how it is used"],
    "audienceSignals": ["people who furnish slowly"],
    "guardrails": ["no discounts in pictures"],
    "toneSpectrum": {"primary": "calm", "secondary": "curious", "avoid": ["urgent"]},
    "performanceProfile": {
        "topPatterns": ["hands at work"],
        "weakPatterns": ["empty rooms"],
        "avgEngagementTier": "medium",
    },
}
GUIDANCE: dict[str, Any] = {
    "promptDirectives": ["One subject, lit from one side"],
    "negativePrompts": ["no writing in the picture"],
    "recommendedMoves": ["Show it in use before showing it alone"],
    "testIdeas": ["Close against far"],
    "winningPatterns": ["one clear subject"],
    "weakPatterns": ["crowded tables"],
    "supportingMetrics": ["close pictures are kept twice as often"],
    "creativeStructure": None,
}
PATTERNS: dict[str, Any] = {
    "topPatterns": [{"pattern": "one clear subject", "occurrences": 12, "avgPerformance": 8.2}],
    "weakPatterns": [{"pattern": "crowded tables", "occurrences": 5, "avgPerformance": 3.6}],
}


async def predict(request: Request) -> Response:
    """Return how well a concept may do."""
    body = await asked(request)
    concept, platform, modality = (body[name].strip() for name in ("concept", "platform", "modality"))
    weight = sum(f"{concept}{platform}{modality}".encode()) % 40 / 100
    made = world_of(request).runs.newest(workspace=caller_of(request).workspace.slug, status="completed")
    return data(
        {
            "trendAlignment": round(0.45 + weight, 2),
            "brandFit": round(0.9 - weight, 2),
            "performancePrediction": round(0.5 + weight / 2, 2),
            "fatigueRisk": round(0.1 + weight / 2, 2),
            "confidence": 0.6,
            "reasoning": ["Close to what has done well", f"Fits {platform}"],
            "comparableContentItemIds": [run.run_id for run in made[:3]],
            "recommendedAdjustments": ["Bring the subject nearer"],
        }
    )


async def recommendations(request: Request) -> Response:
    """Return what to do next."""
    limit = whole_number(request, "limit", default=25, low=1, high=100)
    platform = request.query_params.get("platform") or "instagram"
    items = [
        ("content_idea", "high", "Show how it is made", "Three pictures from the workshop."),
        ("refresh", "medium", "Take the hero picture again in daylight", None),
        ("test", "low", "Try a clip of five seconds", "Still against moving."),
    ]
    return data(
        [
            {
                "id": f"rec-{number}",
                "type": kind,
                "status": "open",
                "priority": priority,
                "title": title,
                "summary": summary,
                "data": {"platform": platform},
                "createdAt": iso(datetime.now(UTC) - timedelta(days=number)),
            }
            for number, (kind, priority, title, summary) in enumerate(items, start=1)
        ][:limit]
    )


async def trends(request: Request) -> Response:
    """Return what rises and what falls."""
    query = request.query_params
    days = whole_number(request, "windowDays", default=7, low=1, high=365)
    limit = whole_number(request, "limit", default=20, low=1, high=100)
    now = datetime.now(UTC)
    top = [("window light", 0.7), ("hands in frame", 0.6), ("slow zoom", 0.4)]
    return data(
        {
            "category": query.get("category") or "general",
            "platform": query.get("platform"),
            "topPatterns": [
                {"label": label, "momentum": momentum, "exampleContentItemIds": [], "formatDescription": "One picture"}
                for label, momentum in top[:limit]
            ],
            "emergingPatterns": [{"label": "deep shadow", "momentum": 0.3}][:limit],
            "decliningPatterns": [{"label": "laid out flat", "momentum": -0.4}][:limit],
            "windowStart": iso(now - timedelta(days=days)),
            "windowEnd": iso(now),
        }
    )


routes = [
    Route("/v1/intelligence/brand-context", brand_context, methods=["GET"]),
    Route("/v1/intelligence/predict", predict, methods=["POST"]),
    Route("/v1/intelligence/recommendations", recommendations, methods=["GET"]),
    Route("/v1/intelligence/trends", trends, methods=["GET"]),
]
