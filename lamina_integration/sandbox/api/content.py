"""Content: from a brief to an app, to a plan, to a run."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lamina_integration.inputs import find
from lamina_integration.sandbox import legacy, routing
from lamina_integration.sandbox.api.answers import clamped, data
from lamina_integration.sandbox.api.apps import capabilities
from lamina_integration.sandbox.api.asked import asked
from lamina_integration.sandbox.api.runs import late_or_lost
from lamina_integration.sandbox.api.starting import start
from lamina_integration.sandbox.catalogue import OfferedApp
from lamina_integration.sandbox.fixed import Fixed
from lamina_integration.sandbox.gate import caller_of, legacy_of, world_of
from lamina_integration.sandbox.refusals import Refusal, not_found
from lamina_integration.sandbox.runs import Run
from lamina_integration.sandbox.words import counted

MOST_MATCHES = 20


def routed(request: Request, body: dict[str, Any]) -> routing.Plan | dict[str, Any]:
    """Return the plan for a brief, or the answer that says why there is none."""
    brief, given = body["brief"].strip(), body.get("inputs") or {}
    world, slug = world_of(request), caller_of(request).workspace.slug
    if app_id := body.get("appId"):
        offered = world.catalogue.find(app_id, slug)
        if offered is None:
            raise not_found("App")
        return routing.plan(offered, brief=brief, given=given, asks=body)
    if routing.OFF_TOPIC.search(brief):
        return {"status": "unmatched", "reason": "The brief does not ask for media."}
    if len(brief.split()) < 2:
        return {
            "status": "needs_clarification",
            "clarifications": [{"question": "What should be shown, and is it a picture or a video?"}],
        }
    found = routing.ranked(world.catalogue.visible(slug), brief, modality=body.get("modality"))
    if not found:
        return {"status": "unmatched", "reason": "No app in this workspace fits the brief."}
    return routing.plan(found[0][1], brief=brief, given=given, asks=body)


def start_plan(request: Request, plan: routing.Plan, *, webhook: str | None) -> Run:
    """Start what a plan has come to, or refuse."""
    world, caller = world_of(request), caller_of(request)
    return start(world, caller=caller, offered=plan.offered, inputs=plan.drafted, labels=plan.outputs, webhook=webhook)


async def discover(request: Request) -> Response:
    """Return the apps that fit an intent, the closest first."""
    body = await asked(request)
    intent, constraints = body["intent"].strip(), body.get("constraints") or {}
    limit = clamped(body.get("limit"), 5, MOST_MATCHES)
    world, slug = world_of(request), caller_of(request).workspace.slug
    wanted = (constraints.get("outputFormat") or "").split("/")[0]
    modality = wanted if wanted in ("image", "video", "audio", "text") else None
    matches = []
    for score, offered in routing.ranked(world.catalogue.visible(slug), intent, modality=modality):
        price = sum(offered.credits_for(output.type) for output in offered.app.outputs)
        most = constraints.get("maxCredits")
        if most is not None and price > most:
            continue
        matches.append(_match(offered, score, price, world.base_url))
    medium = modality or routing.modality_of(intent)
    return data({"matches": matches[:limit], "intent": {"medium": medium, "summary": " ".join(intent.split()[:12])}})


def _match(offered: OfferedApp, score: float, price: float, base_url: str) -> dict[str, Any]:
    return {
        "appId": offered.app_id,
        "name": offered.app.name,
        "description": offered.app.description,
        "relevanceScore": score,
        "capabilities": capabilities(offered) if offered.played.get("capabilities") else None,
        "estimatedCredits": round(price, 2),
        "whyMatch": f"Makes {offered.modality} from what you describe.",
        "thumbnail": {"url": f"{base_url}/samples/product.jpg", "type": "image"},
    }


async def create(request: Request) -> Response:
    """Run the app a brief asks for, or say what is missing."""
    body = await asked(request)
    plan, words = routed(request, body), legacy_of(request)
    if isinstance(plan, dict):
        return data(plan)
    if plan.asked:
        return data(_asked_of_old(plan) if "create-needs-input" in words else plan.as_wire("needs_input"))
    run = start_plan(request, plan, webhook=body.get("webhookUrl"))
    await late_or_lost(request, run)
    if "create-queued" in words:
        queued = run.as_started()
        kept = {name: queued[name] for name in ("runId", "workflowId", "workflowName", "status")}
        return data(legacy.run(kept, words), status=202)
    answer = plan.as_wire("ran") | {"runId": run.run_id}
    answer.pop("askUser")
    return data(answer, status=202)


def _asked_of_old(plan: routing.Plan) -> dict[str, Any]:
    """Return what creating answered, once, when something was missing."""
    app = plan.offered.app
    missing = []
    for ask in plan.asked:
        parameter = find(app.parameters, ask["name"])
        if parameter is not None:
            accept = {"accept": list(parameter.accept)} if parameter.accept else {}
            missing.append({"id": parameter.id, "name": parameter.name, "type": parameter.type, **accept})
    return {
        "runId": None,
        "workflowId": app.app_id,
        "workflowName": app.name,
        "status": "needs_input",
        "selectedApp": {"appId": app.app_id, "name": app.name, "whyMatched": plan.rationale, "confidence": 0.8},
        "brandContext": None,
        "guidanceSummary": None,
        "needsInput": {
            "message": f"{counted(len(missing), 'input')} missing.",
            "missing": missing,
            "suggestedPrompt": " ".join(ask["question"] for ask in plan.asked),
        },
    }


async def plan_content(request: Request) -> Response:
    """Return what creating would do, without doing it."""
    plan = routed(request, await asked(request))
    if isinstance(plan, dict):
        return data(plan)
    return data(plan.as_wire("needs_input" if plan.asked and "plan-needs-input" in legacy_of(request) else "plan"))


async def batch(request: Request) -> Response:
    """Run up to ten briefs; each succeeds or fails by itself."""
    body = await asked(request)
    shared: dict[str, Any] = {name: body[name] for name in ("brandProfileId", "campaignId") if name in body}
    runs: list[Run] = []
    answers = [{"index": index} | _batched(request, shared | item, runs) for index, item in enumerate(body["items"])]
    await late_or_lost(request, *runs)
    failed = sum(answer["status"] == "failed" for answer in answers)
    return data(
        {
            "batchId": str(uuid.uuid4()),
            "total": len(answers),
            "queued": len(answers) - failed,
            "failed": failed,
            "items": answers,
        },
        status=202,
    )


def _batched(request: Request, item: dict[str, Any], runs: list[Run]) -> dict[str, Any]:
    """Start one brief of a batch, adding its run to those of the others, or say why not."""
    try:
        plan = routed(request, item)
        if isinstance(plan, dict):
            return {"status": "failed", "error": plan.get("reason") or "The brief is not clear enough"}
        run = start_plan(request, plan, webhook=item.get("webhookUrl"))
    except Refusal as refusal:
        said = [detail["message"] for detail in refusal.details or [] if isinstance(detail, dict)]
        return {"status": "failed", "error": " ".join([refusal.message + ".", *said])}
    runs.append(run)
    return {"status": "queued", "runId": run.run_id, "workflowId": run.app_id, "workflowName": run.app_name}


async def brief(request: Request) -> Response:
    """Return concepts for a goal; starts nothing."""
    body = await asked(request)
    goal = body["goal"].strip().rstrip(".")
    platform, modality = body.get("platform") or "instagram", body.get("modality") or "image"
    count = clamped(body.get("count"), 3, len(CONCEPTS))
    concepts = [
        {
            "title": title,
            "concept": concept,
            "prompt": f"{goal}: {concept[:1].lower()}{concept[1:]}",
            "platform": platform,
            "modality": modality,
            "format": "reel" if modality == "video" else "single",
            "predictedPerformance": performance,
            "rationale": rationale,
        }
        for title, concept, performance, rationale in CONCEPTS[:count]
    ]
    return data({"concepts": concepts})


CONCEPTS = (
    (
        "First light",
        "The product by a window, early, with one long shadow",
        "high",
        "Morning light is calm and sells calm.",
    ),
    ("In good hands", "Hands using it, nothing else in the frame", "high", "People trust what they see used."),
    ("Side by side", "The old way on the left, the product on the right", "medium", "A comparison needs no words."),
    ("Where it is made", "The workshop, the tools, the unfinished piece", "medium", "It says what the price is for."),
    ("Small world", "The product huge among tiny things", "low", "Playful; not everybody's taste."),
)


async def score(request: Request) -> Response:
    """Return scores for what this workspace has made, or for the items named."""
    body = await asked(request)
    limit = clamped(body.get("limit"), 25, 100)
    slug = caller_of(request).workspace.slug
    named = body.get("contentItemIds")
    made = [run.run_id for run in world_of(request).runs.newest(workspace=slug, status="completed")]
    ids = made if named is None else named
    scores = [_score(identity) for identity in ids[:limit]]
    counters = {
        "workspaceId": caller_of(request).workspace.workspace_id,
        "itemsScanned": len(ids),
        "scoresCreated": len(scores),
        "contentItemIds": [each["contentItemId"] for each in scores],
    }
    words = legacy_of(request)
    if "score-cli" in words:
        scores = [{name: each[name] for name in ("contentItemId", "score", "label")} for each in scores]
    if "score-plugin" in words:
        scores = [{"id": each["contentItemId"], "score": round(each["score"] * 10, 1)} for each in scores]
    return data(counters | {"scores": scores})


def _score(identity: str) -> dict[str, Any]:
    base = sum(identity.encode()) % 30
    dimensions = {
        "brandAlignment": 68 + base,
        "predictedEngagement": 64 + (base * 7) % 30,
        "visualQuality": 70 + (base * 3) % 28,
        "platformFitness": 66 + (base * 11) % 30,
    }
    overall = round(sum(dimensions.values()) / len(dimensions), 1)
    return {
        "contentItemId": identity,
        "overallScore": overall,
        "score": round(overall / 100, 2),
        "label": "strong" if overall >= 80 else "good",
        "dimensions": dimensions,
        "feedback": "Clear subject; the foot of the frame could be quieter.",
    }


routes = [
    Fixed("/v1/apps/discover", discover, methods=["POST"]),
    Route("/v1/content/create", create, methods=["POST"]),
    Route("/v1/content/plan", plan_content, methods=["POST"]),
    Route("/v1/content/batch", batch, methods=["POST"]),
    Route("/v1/content/brief", brief, methods=["POST"]),
    Route("/v1/content/score", score, methods=["POST"]),
]
