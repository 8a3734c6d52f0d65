"""Every operation of the contract is there, in both clients, and asks what the contract says."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lamina_integration import AsyncLaminaClient, LaminaClient, LaminaUnreachable, UploadFile
from lamina_integration.client.calls import Endpoint, Followed

RUN = {"runId": "r", "workflowId": "a", "status": "running"}
APP = {"appId": "a", "name": "A"}
MODEL = {"id": "m", "displayName": "M", "modality": "image", "paramSchema": {"prompt": {"type": "string"}}}
ASSET = {"id": "s", "sourceUrl": "https://x/tmp.png", "cdnUrl": "https://x/keep.png"}
UPLOAD = {"filename": "f", "uploadUrl": "https://s/put", "assetUrl": "https://m/f"}
TEMPLATE = {"id": "t", "name": "T", "guidanceData": {"promptDirectives": ["x"]}}

# What to call, what it must ask, what the answer holds, and what is then read of it.
OPERATIONS: dict[str, tuple[Callable[[Any], Any], str, Any, Callable[[Any], Any]]] = {
    "listApps": (lambda c: c.apps.list(), "GET /v1/apps", [APP], lambda a: a[0].app_id),
    "getApp": (lambda c: c.apps.get("a"), "GET /v1/apps/a", APP, lambda a: a.app_id),
    "getAppWorkflow": (
        lambda c: c.apps.graph("a"),
        "GET /v1/apps/a/workflow",
        {"appId": "a", "nodes": [{"id": "n"}], "edges": [{"source": "n", "target": "o"}]},
        lambda a: a.edges[0].target == "o",
    ),
    "estimateApp": (
        lambda c: c.apps.estimate("a"),
        "POST /v1/apps/a/estimate",
        {"affordable": True},
        lambda a: a.affordable,
    ),
    "discoverApps": (
        lambda c: c.apps.discover("a reel", max_credits=60, output_format="video/mp4", limit=3),
        "POST /v1/apps/discover",
        {"matches": [{**APP, "relevanceScore": 0.9, "estimatedCredits": None}]},
        lambda a: a[0].relevance_score == 0.9 and a[0].estimated_credits is None,
    ),
    "startRun": (lambda c: c.runs.start("a", {}), "POST /v1/apps/a/runs", RUN, lambda a: a.run_id),
    "listRuns": (lambda c: c.runs.list(), "GET /v1/runs", [RUN], lambda a: a.items[0].run_id),
    "getRun": (lambda c: c.runs.get("r"), "GET /v1/runs/r", RUN, lambda a: a.run_id),
    "waitForRun": (lambda c: c.runs.wait("r"), "GET /v1/runs/r/wait", RUN, lambda a: a.run.run_id),
    "cancelRun": (lambda c: c.runs.cancel("r"), "POST /v1/runs/r/cancel", RUN, lambda a: a == "running"),
    "refineRun": (
        lambda c: c.runs.feedback("r", "warmer"),
        "POST /v1/runs/r/feedback",
        {**RUN, "summary": "Warmed.", "refinedNodes": [{"nodeId": "n", "reason": "light"}]},
        lambda a: a.summary and a.refined_nodes[0].node_id == "n",
    ),
    "getWebhookSigningKey": (
        lambda c: c.webhooks.signing_keys(),
        "GET /v1/webhooks/signing-key",
        None,
        lambda a: a[0].kid == "k",
    ),
    "createContent": (
        lambda c: c.content.create("a mug", platform="instagram", extra={"autoQuality": {"enabled": True}}),
        "POST /v1/content/create",
        {"status": "ran", "mode": "app", "runId": "r"},
        lambda a: a.next_step == "follow",
    ),
    "batchCreateContent": (
        lambda c: c.content.batch([{"brief": "a"}, {"brief": "b"}]),
        "POST /v1/content/batch",
        {"batchId": "b", "total": 2, "items": [{"index": 0, "runId": "r"}, {"index": 1, "error": "no"}]},
        lambda a: a.items[0].run_id == "r" and a.items[1].error == "no",
    ),
    "briefContent": (
        lambda c: c.content.brief("sell mugs", count=3),
        "POST /v1/content/brief",
        {"concepts": [{"title": "T"}]},
        lambda a: a[0].title,
    ),
    "scoreContent": (
        lambda c: c.content.score(limit=5),
        "POST /v1/content/score",
        {"scores": [{"contentItemId": "i", "overallScore": 84.5}]},
        lambda a: a[0].overall == 84.5,
    ),
    "planContent": (
        lambda c: c.content.plan("a mug", variants=2),
        "POST /v1/content/plan",
        {"status": "plan", "selectedApp": APP},
        lambda a: a.next_step == "start",
    ),
    "previewRun": (
        lambda c: c.content.preview_run("a mug", {"title": "x"}, field_name="cover"),
        "POST /v1/content/preview-run",
        {"mode": "app", "form": [{"kind": "select", "name": "__outputs", "options": ["a "], "max": 2}]},
        lambda a: a.form[0].options == ("a ",),
    ),
    "runConfirmed": (
        lambda c: c.content.run_app("a", {"x": "1"}, outputs=["Front"]),
        "POST /v1/content/run",
        {"mode": "app", "runId": "r"},
        lambda a: a.run_id,
    ),
    "autoGenerate": (
        lambda c: c.content.auto_generate("a mug", {}),
        "POST /v1/content/auto-generate",
        {"status": "needs_choice", "choices": [1]},
        lambda a: a.detail["choices"] == [1],
    ),
    "getFreestyleRun": (lambda c: c.content.freestyle_run("r"), "GET /v1/freestyle/r", RUN, lambda a: a.run_id),
    "listTemplates": (lambda c: c.templates.list(), "GET /v1/templates", [TEMPLATE], lambda a: a[0].id),
    "getTemplate": (
        lambda c: c.templates.get("t"),
        "GET /v1/templates/t",
        TEMPLATE,
        lambda a: a.guidance.prompt_directives == ("x",),
    ),
    "listAssets": (
        lambda c: c.assets.list(run_id="r", output_type="image"),
        "GET /v1/assets",
        [ASSET],
        lambda a: a.items[0].url == "https://x/keep.png",
    ),
    "getAsset": (lambda c: c.assets.get("s"), "GET /v1/assets/s", ASSET, lambda a: a.id),
    "createUploadUrls": (
        lambda c: c.assets.upload_urls([UploadFile("f", "image")]),
        "POST /v1/assets/upload-urls",
        {"uploads": [UPLOAD]},
        lambda a: a[0].asset_url,
    ),
    "getBrandContext": (
        lambda c: c.intelligence.brand_context(app_id="a", top=5),
        "GET /v1/intelligence/brand-context",
        {"brandDna": None, "guidance": None, "topPatterns": {"topItems": [{"id": "i", "performanceScore": 0.5}]}},
        lambda a: a.brand_dna is None and a.top_patterns.top_items[0].performance_score == 0.5,
    ),
    "predict": (
        lambda c: c.intelligence.predict("a mug", platform="x", modality="image"),
        "POST /v1/intelligence/predict",
        {"confidence": 0.5, "reasoning": ["because"]},
        lambda a: a.confidence == 0.5,
    ),
    "listRecommendations": (
        lambda c: c.intelligence.recommendations(limit=5),
        "GET /v1/intelligence/recommendations",
        [{"id": "i", "title": "T", "data": {"x": 1}}],
        lambda a: a[0].data == {"x": 1},
    ),
    "getTrends": (
        lambda c: c.intelligence.trends(window_days=7),
        "GET /v1/intelligence/trends",
        {"category": "home", "topPatterns": [{"label": "light", "momentum": 0.7}]},
        lambda a: a.top[0].momentum == 0.7,
    ),
    "listChannels": (
        lambda c: c.publishing.channels(),
        "GET /v1/publishing/channels",
        [{"id": "i", "platform": "tiktok"}],
        lambda a: a[0].platform,
    ),
    "publish": (
        lambda c: c.publishing.publish(["i"], caption="x"),
        "POST /v1/publishing/publish",
        {"results": [{"accountId": "i", "status": "success"}]},
        lambda a: a.succeeded == 1,
    ),
    "transferAsset": (
        lambda c: c.publishing.transfer_asset("https://x/tmp.png", media_type="image"),
        "POST /v1/publishing/transfer-asset",
        {"cdnUrl": "https://x/keep.png"},
        lambda a: a.url,
    ),
    "publishHistory": (
        lambda c: c.publishing.history(status="failed"),
        "GET /v1/publishing/history",
        [{"id": "i", "status": "failed"}],
        lambda a: a[0].status,
    ),
    "getAccount": (
        lambda c: c.account.get(),
        "GET /v1/account",
        {"user": {"id": "u"}, "workspace": None, "memberships": [{"workspaceId": "w", "role": "owner"}]},
        lambda a: a.workspace is None and a.memberships[0].id == "w",
    ),
    "getUsage": (
        lambda c: c.account.usage(),
        "GET /v1/account/usage",
        {"credits": {"balance": 5}},
        lambda a: a.balance,
    ),
    "listBrandProfiles": (lambda c: c.account.brand_profiles(), "GET /v1/brand-profiles", [MODEL], lambda a: a[0].id),
    "listCampaigns": (lambda c: c.account.campaigns(), "GET /v1/campaigns", [MODEL], lambda a: a[0].id),
    "listImageModels": (lambda c: c.models.list("image"), "GET /v1/models/image", [MODEL], lambda a: a[0].display_name),
    "listVideoModels": (lambda c: c.models.list("video"), "GET /v1/models/video", [MODEL], lambda a: a[0].display_name),
    "describeImageModel": (
        lambda c: c.models.describe("m", modality="image"),
        "GET /v1/models/image/m",
        MODEL,
        lambda a: a.param_schema["prompt"],
    ),
    "describeVideoModel": (
        lambda c: c.models.describe("m", modality="video"),
        "GET /v1/models/video/m",
        MODEL,
        lambda a: a.param_schema["prompt"],
    ),
    "describeModel": (lambda c: c.models.describe("m"), "GET /v1/models/m", MODEL, lambda a: a.param_schema["prompt"]),
    "generateImage": (
        lambda c: c.models.generate_image("m", prompt="x", params={"n": 1}),
        "POST /v1/generate/image",
        {"runId": "g", "status": "completed", "resolvedParams": {"n": 1}},
        lambda a: a.resolved_params == {"n": 1},
    ),
    "generateVideo": (
        lambda c: c.models.generate_video("m", webhook_url="https://x.test/h"),
        "POST /v1/generate/video",
        {"runId": "g", "status": "queued"},
        lambda a: a.run_id,
    ),
    "getGenerateRun": (
        lambda c: c.models.run("g"),
        "GET /v1/generate/runs/g",
        {"runId": "g", "status": "completed", "output": {"type": "image", "url": "https://x/1.png"}},
        lambda a: a.is_terminal and a.output_url == "https://x/1.png",
    ),
}
STREAM = "GET /v1/runs/r/stream"


def transport(data: Any, asked: list[httpx.Request]) -> httpx.MockTransport:
    body = {"keys": [{"x": "abc", "kid": "k"}]} if data is None else {"data": data, "new": True}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=body)

    return httpx.MockTransport(answer)


def test_all_forty_seven_operations_are_here() -> None:
    asked = {operation[1] for operation in OPERATIONS.values()} | {STREAM}
    assert len(OPERATIONS) + 1 == 47
    assert len(asked) == 47


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_asks_what_the_contract_says_and_reads_the_answer(operation: str) -> None:
    call, request_line, data, read = OPERATIONS[operation]
    asked: list[httpx.Request] = []
    with LaminaClient(base_url="https://lamina.test", api_key="k", transport=transport(data, asked)) as client:
        assert read(call(client))
    assert [f"{request.method} {request.url.path}" for request in asked] == [request_line]
    if asked[0].content:
        assert None not in json.loads(asked[0].content).values()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_is_the_same_when_awaited(operation: str) -> None:
    call, request_line, data, read = OPERATIONS[operation]
    asked: list[httpx.Request] = []

    async def ask() -> Any:
        lamina = transport(data, asked)
        async with AsyncLaminaClient(base_url="https://lamina.test", api_key="k", transport=lamina) as client:
            return await call(client)

    assert read(asyncio.run(ask()))
    assert [f"{request.method} {request.url.path}" for request in asked] == [request_line]


def test_file_is_streamed_when_awaited() -> None:
    asked: list[httpx.Request] = []

    async def put() -> None:
        lamina = transport({"uploads": [UPLOAD]}, asked)
        async with AsyncLaminaClient(base_url="https://lamina.test", api_key="k", transport=lamina) as client:
            target = (await client.assets.upload_urls([UploadFile("f", "image")]))[0]
            await client.assets.put(target, io.BytesIO(b"x" * 100_000), size=100_000)

    asyncio.run(put())
    assert asked[1].method == "PUT"
    assert asked[1].headers["content-length"] == "100000"
    assert len(asked[1].content) == 100_000
    assert "x-api-key" not in asked[1].headers


def test_both_clients_have_the_same_groups_and_every_method_says_what_it_gives() -> None:
    with LaminaClient(base_url="https://lamina.test", api_key="k") as client:
        groups = {name: type(group) for name, group in vars(client).items() if not name.startswith("_")}
    awaited = AsyncLaminaClient(base_url="https://lamina.test", api_key="k")
    assert groups == {name: type(group) for name, group in vars(awaited).items() if not name.startswith("_")}
    for group in groups.values():
        for name, method in vars(group).items():
            if isinstance(method, (Endpoint, Followed)):
                assert inspect.getdoc(method.describe), f"{group.__name__}.{name}"


@pytest.mark.parametrize("odd", [None, 5, "x", [], [None, 3], {}, {"data": None}])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_odd_answers_end_in_an_answer_or_in_one_of_our_errors(operation: str, odd: Any) -> None:
    asked: list[httpx.Request] = []
    lamina = LaminaClient(base_url="https://lamina.test", api_key="k", transport=transport(odd, asked))
    with lamina as client, contextlib.suppress(LaminaUnreachable):
        OPERATIONS[operation][0](client)
    assert {request.url.host for request in asked} == {"lamina.test"}
