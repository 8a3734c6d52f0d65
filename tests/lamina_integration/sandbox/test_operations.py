"""The operations beyond apps and runs: briefs, models, publishing, what was made, the account."""

from typing import Any

import httpx
import pytest

from lamina_integration import LaminaClient
from lamina_integration.sandbox import Sandbox
from tests.lamina_integration.sandbox.conftest import CARTOONIFY, KEYS, MOOD_BOARD, PREMIUM, run_of, started

PHOTO = "https://shop.example/mug.jpg"


def posted(api: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(path, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json()["data"])


def test_own_document_names_all_47_operations(api: httpx.Client, lamina: Sandbox) -> None:
    document = httpx.get(f"{lamina.url}/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 47
    assert all(operation["summary"] for operation in operations)


def test_discover_ranks_apps_and_keeps_to_the_constraints(api: httpx.Client) -> None:
    constraints = {"maxCredits": 150, "outputFormat": "video/mp4"}
    answer = posted(api, "/v1/apps/discover", intent="product video advertisement", constraints=constraints, limit=1)
    (match,) = answer["matches"]
    assert (match["name"], answer["intent"]["medium"]) == ("Performance Marketing Video (V3) Sample", "video")
    assert 0 < match["relevanceScore"] < 1
    assert api.post("/v1/apps/discover", json={}).status_code == 400


def test_workflow_names_the_nodes(api: httpx.Client) -> None:
    answer = api.get(f"/v1/apps/{MOOD_BOARD}/workflow").json()["data"]
    assert (len(answer["nodes"]), len(answer["edges"])) == (4, 3)


def test_brief_comes_to_each_kind_of_answer(lamina: Sandbox, api: httpx.Client) -> None:
    needs = posted(api, "/v1/content/create", brief="Catalogue views of a garment in the studio")
    assert (needs["status"], needs["selectedApp"]["appId"]) == ("needs_input", PREMIUM)
    assert [ask["name"] for ask in needs["askUser"]] == ["front_image_url", "back_image_url"]
    assert needs["draftedInputs"]["location_text"] == "Studio"
    ran = posted(api, "/v1/content/create", brief="A cartoon portrait in the Ghibli style", inputs={"Hat": "red"})
    assert (ran["status"], ran["draftedInputs"]) == ("ran", {"Style": "Ghibli"})
    assert ran["warnings"][0]["field"] == "Hat"
    assert run_of(api, ran["runId"])["workflowId"] == CARTOONIFY
    assert posted(api, "/v1/content/create", brief="mug")["status"] == "needs_clarification"
    assert posted(api, "/v1/content/create", brief="zebra crossing quietly")["status"] == "unmatched"
    assert len(lamina.ledger()["starts"]) == 1


def test_outputs_that_a_brief_names_are_those_that_are_made(lamina: Sandbox, api: httpx.Client) -> None:
    photos = {"front_image_url": PHOTO, "back_image_url": PHOTO}
    brief = {"brief": "The front view and the back view of a garment", "appId": PREMIUM}
    assert posted(api, "/v1/content/plan", **brief)["selectedOutputs"] == ["Front View", "Back View"]
    ran = posted(api, "/v1/content/create", **brief, inputs=photos)
    assert [output["label"] for output in run_of(api, ran["runId"])["outputs"]] == ["Front View", "Back View"]
    assert "selectedOutputs" not in posted(api, "/v1/content/plan", brief="All of it", appId=PREMIUM)


def test_output_says_what_it_is_good_for_and_a_judged_run_how_it_was_judged(lamina: Sandbox, api: httpx.Client) -> None:
    judged = started(api, MOOD_BOARD, inputs={"your_product_image_url": f"{lamina.url}/samples/product.jpg"})
    plain = started(api)
    lamina.finish()
    run = run_of(api, judged)
    assert run["quality"] == {"score": 0.88, "threshold": 0.75, "passed": True, "attempts": 1}
    output = run["outputs"][0]
    assert (output["compatibleInputTypes"], output["canChainAs"]) == (["url"], ["reference_image_url"])
    assert output["suggestedNextSteps"] == [{"description": "Publish to a connected channel", "toolHint": None}]
    assert output["platformsOptimized"]
    assert "quality" not in run_of(api, plain)


def test_plan_starts_nothing(lamina: Sandbox, api: httpx.Client) -> None:
    plan = posted(api, "/v1/content/plan", brief="anything", appId=MOOD_BOARD, inputs={"your_product_image_url": PHOTO})
    assert (plan["status"], plan["askUser"]) == ("plan", [])
    assert plan["draftedInputs"]["product_text"] == "anything"
    assert api.post("/v1/content/plan", json={"brief": "x", "appId": "none"}).status_code == 404
    assert lamina.ledger()["starts"] == []


def test_batch_fails_item_by_item(api: httpx.Client) -> None:
    items = [
        {"brief": "A cartoon, Ghibli", "appId": CARTOONIFY},
        {"brief": "A cartoon", "appId": CARTOONIFY},
        {"brief": "x", "appId": "none"},
    ]
    answer = posted(api, "/v1/content/batch", items=items)
    assert (answer["total"], answer["queued"], answer["failed"]) == (3, 1, 2)
    assert [item["status"] for item in answer["items"]] == ["queued", "failed", "failed"]
    for count in (0, 11):
        assert api.post("/v1/content/batch", json={"items": items[:1] * count}).status_code == 400


def test_concepts_and_scores_start_nothing(lamina: Sandbox, api: httpx.Client) -> None:
    assert len(posted(api, "/v1/content/brief", goal="Sell mugs", count=2)["concepts"]) == 2
    assert posted(api, "/v1/content/score")["scores"] == []
    started(api)
    lamina.finish()
    (score,) = posted(api, "/v1/content/score", limit=5)["scores"]
    assert 0 <= score["overallScore"] <= 100


def test_preview_is_a_form_and_confirming_runs_it(lamina: Sandbox, api: httpx.Client) -> None:
    preview = posted(
        api, "/v1/content/preview-run", brief="product shots with a mood board", document={"cover": PHOTO},
        constraints={"aspectRatio": "16:9"},
    )  # fmt: skip
    assert preview["draftedInputs"]["ai_designer_aspect_ratio"] == {"value": "16:9", "source": "agent_creative"}
    fields = {field["name"]: field for field in preview["form"]}
    assert fields["your_product_image_url"]["suggestedDefault"]["value"] == PHOTO
    assert fields["__outputs"]["kind"] == "multiSelect"
    agreed = {"inputs": {"your_product_image_url": PHOTO}, "outputs": ["Hero Shot"]}
    confirmed = posted(api, "/v1/content/run", mode="app", appId=MOOD_BOARD, **agreed)
    assert len(run_of(api, confirmed["runId"])["outputs"]) == 1


def test_freestyle_run_is_read_at_its_own_address(lamina: Sandbox, api: httpx.Client) -> None:
    preview = posted(api, "/v1/content/preview-run", brief="zebra crossing quietly", document={})
    assert preview["mode"] == "freestyle"
    run_id = posted(api, "/v1/content/run", mode="freestyle", freestyleRecipe=preview["freestylePlan"])["runId"]
    lamina.finish()
    assert api.get(f"/v1/freestyle/{run_id}").json()["data"]["status"] == "completed"
    assert api.get(f"/v1/runs/{run_id}").status_code == 404
    assert api.get(f"/v1/generate/runs/{run_id}").status_code == 404
    assert api.get("/v1/runs").json()["data"] == [], "what is listed can be read there"


def test_every_variant_of_a_recipe_is_made(lamina: Sandbox, api: httpx.Client) -> None:
    variant = {"imageModel": "nano-banana-pro", "prompt": "A quiet zebra", "imageParams": {"aspectRatio": "3:2"}}
    recipe = {"modality": "image", "variants": [variant, variant | {"styleHint": "editorial"}, variant]}
    begun = posted(api, "/v1/content/run", mode="freestyle", freestyleRecipe=recipe)
    assert (begun["numVariants"], begun["submittedCount"], begun["failedCount"]) == (3, 3, 0)
    lamina.finish()
    run = api.get(f"/v1/freestyle/{begun['runId']}").json()["data"]
    assert [output["label"] for output in run["outputs"]] == ["Variant 1", "Variant 2", "Variant 3"]


def test_auto_generate_uses_what_the_document_has(api: httpx.Client) -> None:
    brief = "product shots with a mood board"
    answer = posted(api, "/v1/content/auto-generate", brief=brief, document={"cover": PHOTO})
    assert (answer["status"], answer["draftedInputs"]["your_product_image_url"]) == ("started", PHOTO)
    choice = posted(api, "/v1/content/auto-generate", brief=brief, document={})
    assert choice["candidates"][0]["missingRequiredInputs"] == ["your_product_image_url"]
    assert posted(api, "/v1/content/auto-generate", brief=brief, document={}, appId="none")["candidates"] == []


def test_preview_for_an_app_that_is_not_there_has_failed(lamina: Sandbox, api: httpx.Client) -> None:
    failed = posted(api, "/v1/content/preview-run", brief="product shots", document={}, appId="none")
    assert failed == {
        "mode": "agent_failed",
        "reason": "App not found",
        "errors": ["appId: there is no app none"],
    }
    with LaminaClient(base_url=lamina.url, api_key=KEYS[0]) as client:
        preview = client.content.preview_run("product shots", {}, app_id="none")
    assert (preview.mode, preview.reason, len(preview.errors)) == ("agent_failed", "App not found", 1)


BRIEF = {"brief": "A cartoon portrait in the Ghibli style"}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/apps/discover", {"intent": "mugs", "constraints": []}, "constraints"),
        ("/v1/apps/discover", {"intent": "mugs", "limit": "5"}, "limit"),
        (f"/v1/apps/{CARTOONIFY}/runs", {"inputs": [1]}, "inputs"),
        (f"/v1/apps/{CARTOONIFY}/runs", {"inputs": {"Style": "Ghibli"}, "outputs": "AI Designer"}, "outputs"),
        ("/v1/content/create", {"brief": " "}, "brief"),
        ("/v1/content/create", BRIEF | {"contentType": {}}, "contentType"),
        ("/v1/content/create", BRIEF | {"autoQuality": {"enabled": "yes"}}, "autoQuality.enabled"),
        ("/v1/content/plan", BRIEF | {"numVariants": {}}, "numVariants"),
        ("/v1/content/batch", {"items": [BRIEF, BRIEF | {"platform": 5}]}, "items[1].platform"),
        ("/v1/content/brief", {"goal": "Sell mugs", "metadata": [None]}, "metadata"),
        ("/v1/content/score", {"contentItemIds": [5]}, "contentItemIds[0]"),
        ("/v1/content/preview-run", BRIEF | {"document": []}, "document"),
        (
            "/v1/content/preview-run",
            BRIEF | {"document": {}, "constraints": {"modality": "smell"}},
            "constraints.modality",
        ),
        ("/v1/content/run", {"appId": CARTOONIFY, "inputs": {"Style": "Ghibli"}}, "mode"),
        ("/v1/content/run", {"mode": "freestyle", "freestyleRecipe": {"variants": []}}, "freestyleRecipe.variants"),
        (
            "/v1/intelligence/predict",
            {"concept": "a", "platform": "b", "modality": "c", "campaignId": {}},
            "campaignId",
        ),
        ("/v1/publishing/publish", {"accountIds": ["a"], "caption": {}}, "caption"),
    ],
)
def test_member_of_the_wrong_type_is_named_and_nothing_is_done(
    lamina: Sandbox, api: httpx.Client, path: str, body: dict[str, object], param: str
) -> None:
    answer = api.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["param"] for detail in answer.json()["details"]] == [param]
    assert lamina.ledger()["starts"] == []


def test_members_nobody_described_are_taken_and_null_is_as_if_absent(api: httpx.Client) -> None:
    odd = {"mood": {"of": ["the", "day"]}, "platform": None, "inputs": None, "numVariants": None}
    assert posted(api, "/v1/content/plan", **BRIEF, **odd)["status"] == "plan"


def test_models_are_listed_and_described(api: httpx.Client) -> None:
    images, videos = (api.get(f"/v1/models/{kind}").json()["data"] for kind in ("image", "video"))
    assert {model["modality"] for model in images} == {"image"}
    assert "veo3-keyframe-to-video" in [model["id"] for model in videos]
    for path in ("/v1/models/nano-banana-pro", "/v1/models/image/nano-banana-pro"):
        assert api.get(path).json()["data"]["paramSchema"]["aspectRatio"]["type"] == "enum"
    assert api.get("/v1/models/video/nano-banana-pro").status_code == 404


def test_model_run_has_one_output_and_its_own_shape(lamina: Sandbox, api: httpx.Client) -> None:
    params = {"aspectRatio": "16:9"}
    begun = posted(api, "/v1/generate/image", model="ideogram-v3", prompt="A mug", params=params)
    assert begun["resolvedParams"] == {"aspectRatio": "16:9", "seed": 0, "prompt": "A mug"}
    lamina.finish()
    run = api.get(f"/v1/generate/runs/{begun['runId']}").json()["data"]
    assert (run["status"], run["model"], run["output"]["type"]) == ("completed", "ideogram-v3", "image")
    assert httpx.get(run["output"]["url"]).status_code == 200
    assert api.get(f"/v1/runs/{begun['runId']}").status_code == 404
    assert api.get("/v1/runs").json()["data"] == []


@pytest.mark.parametrize(
    ("kind", "model", "params", "resolved"),
    [
        ("video", "kling-v25-text-to-video", {"duration": 5}, {"duration": 5}),
        ("video", "kling-v25-text-to-video", {"duration": "10"}, {"duration": "10"}),
        ("video", "veo3-text-to-video", {"duration": 8}, {"duration": 8}),
        ("video", "veo3-first-frame-to-video", {"firstFrameUrl": PHOTO, "duration": 6}, {"duration": 6}),
        ("video", "minimax-image-to-video", {"imageUrl": PHOTO, "duration": 10}, {"duration": 10}),
        ("video", "seedance-2.0-fast-image-to-video", {"startImageUrl": PHOTO}, {"imageUrl": PHOTO}),
        ("image", "bria-bg-remove", {"imageUrls": [PHOTO]}, {"imageUrl": PHOTO}),
        ("image", "nano-banana-pro", {"imageUrl": PHOTO}, {"imageUrls": [PHOTO]}),
        ("image", "flux-pro-kontext", {"imageUrl": PHOTO, "aspectRatio": "3:2"}, {"aspectRatio": "3:2"}),
    ],
)
def test_model_takes_what_its_callers_send(
    api: httpx.Client, kind: str, model: str, params: dict[str, object], resolved: dict[str, object]
) -> None:
    prompt = {} if model == "bria-bg-remove" else {"prompt": "A mug"}
    begun = posted(api, f"/v1/generate/{kind}", model=model, params=params, **prompt)
    assert begun["resolvedParams"] == begun["resolvedParams"] | resolved | prompt


@pytest.mark.parametrize(
    ("model", "params", "problem"),
    [
        ("veo3-text-to-video", {"duration": 30}, ("duration", "out_of_range")),
        ("veo3-text-to-video", {"duration": "long"}, ("duration", "invalid_type")),
        ("kling-v25-text-to-video", {"duration": 7}, ("duration", "not_allowed")),
        ("kling-v25-text-to-video", {"imageUrl": PHOTO}, ("imageUrl", "unknown_field")),
        ("minimax-image-to-video", {"imageUrls": [PHOTO, PHOTO]}, ("imageUrl", "invalid_url")),
    ],
)
def test_model_refuses_what_it_cannot_use(
    api: httpx.Client, model: str, params: dict[str, object], problem: tuple[str, str]
) -> None:
    answer = api.post("/v1/generate/video", json={"model": model, "prompt": "A mug", "params": params})
    errors = answer.json()["details"]["details"]["errors"]
    assert [(error["field"], error["error"]) for error in errors] == [problem]


def test_model_s_problems_are_nested_by_field(api: httpx.Client) -> None:
    params = {"aspectRatio": "7:3", "cfgScale": 3, "bogus": 1}
    answer = api.post("/v1/generate/video", json={"model": "kling-v25-text-to-video", "params": params})
    errors = answer.json()["details"]["details"]["errors"]
    assert [(error["field"], error["error"]) for error in errors] == [
        ("aspectRatio", "not_allowed"),
        ("cfgScale", "out_of_range"),
        ("bogus", "unknown_field"),
        ("prompt", "required"),
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"prompt": "A mug"}, ("model", "required")),
        ({"model": None, "prompt": "A mug"}, ("model", "invalid_type")),
        ({"model": "invented-9", "prompt": "A mug"}, ("model", "not_allowed")),
        ({"model": "veo3-text-to-video", "prompt": "A mug"}, ("model", "not_allowed")),
        ({"model": "ideogram-v3", "prompt": "A mug", "params": ["1:1"]}, ("params", "invalid_type")),
        ({"model": "ideogram-v3", "prompt": "A mug", "webhookUrl": 5}, ("webhookUrl", "invalid_type")),
    ],
)
def test_call_of_no_model_is_refused_in_the_shape_of_direct_calls(
    lamina: Sandbox, api: httpx.Client, body: dict[str, object], problem: tuple[str, str]
) -> None:
    answer = api.post("/v1/generate/image", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    errors = answer.json()["details"]["details"]["errors"]
    assert [(error["field"], error["error"]) for error in errors] == [problem]
    assert lamina.ledger()["starts"] == []


def test_publishing_fails_channel_by_channel_and_is_remembered(lamina: Sandbox, api: httpx.Client) -> None:
    channels = api.get("/v1/publishing/channels").json()["data"]
    answer = posted(
        api,
        "/v1/publishing/publish",
        accountIds=[channel["id"] for channel in channels],
        imageUrl=PHOTO,
        caption="New.",
    )
    assert answer["summary"] == {"total": 3, "success": 2, "failed": 1}
    history = api.get("/v1/publishing/history", params={"status": "failed"}).json()["data"]
    assert [(item["platform"], item["error"]) for item in history] == [("tiktok", "This channel takes video only")]
    lamina.set(legacy=["publish-docs"])
    again = posted(api, "/v1/publishing/publish", accountIds=[channels[0]["id"]], caption="New.")
    assert again["results"][0]["status"] == "published"
    assert "summary" not in again
    assert api.post("/v1/publishing/publish", json={"accountIds": [channels[0]["id"]]}).status_code == 400


def test_transferred_file_has_an_address_of_its_own(lamina: Sandbox, api: httpx.Client) -> None:
    source = f"{lamina.url}/samples/product.jpg"
    copy = posted(api, "/v1/publishing/transfer-asset", sourceUrl=source, mediaType="image")
    assert httpx.get(copy["cdnUrl"]).content == httpx.get(source).content
    assert copy["url"] == copy["cdnUrl"]
    gone = {"sourceUrl": f"{lamina.url}/assets/none/a.jpg", "mediaType": "image"}
    assert api.post("/v1/publishing/transfer-asset", json=gone).status_code == 400


def test_what_runs_made_is_listed(lamina: Sandbox, api: httpx.Client, stranger: httpx.Client) -> None:
    run_id = started(api)
    lamina.finish()
    (made,) = api.get("/v1/assets", params={"runId": run_id, "outputType": "image"}).json()["data"]
    assert made["cdnUrl"] == run_of(api, run_id)["outputs"][0]["value"]
    assert api.get(f"/v1/assets/{made['id']}").json()["data"] == made
    assert stranger.get(f"/v1/assets/{made['id']}").status_code == 404
    assert api.get("/v1/assets", params={"outputType": "text"}).json()["pagination"]["total"] == 0
    assert api.get("/v1/assets", params={"outputType": "smell"}).status_code == 400


def test_brand_is_unknown_until_something_was_made(lamina: Sandbox, api: httpx.Client) -> None:
    empty = {"brandDna": None, "guidance": None, "topPatterns": None}
    assert api.get("/v1/intelligence/brand-context").json()["data"] == empty
    run_id = started(api)
    lamina.finish()
    known = api.get("/v1/intelligence/brand-context").json()["data"]
    assert known["topPatterns"]["topItems"][0]["id"] == run_id


def test_predictions_recommendations_and_trends_are_there(api: httpx.Client) -> None:
    concept = {"concept": "Mug in the rain", "platform": "instagram", "modality": "image"}
    prediction = posted(api, "/v1/intelligence/predict", **concept)
    figures = ("trendAlignment", "brandFit", "performancePrediction", "fatigueRisk", "confidence")
    assert all(0 <= prediction[name] <= 1 for name in figures)
    assert len(api.get("/v1/intelligence/recommendations", params={"limit": 1}).json()["data"]) == 1
    assert api.get("/v1/intelligence/trends").json()["data"]["topPatterns"]
    assert api.post("/v1/intelligence/predict", json={}).status_code == 400


@pytest.mark.parametrize("path", ["/v1/templates", "/v1/brand-profiles", "/v1/campaigns"])
def test_short_lists_have_ids_and_names(api: httpx.Client, path: str) -> None:
    assert all(item["id"] and item["name"] for item in api.get(path).json()["data"])


def test_template_is_found_by_its_id(api: httpx.Client) -> None:
    first = api.get("/v1/templates").json()["data"][0]
    assert api.get(f"/v1/templates/{first['id']}").json()["data"] == first
    assert api.get("/v1/templates/none").json()["error"] == "Template not found"


def test_account_is_the_key_s_workspace(api: httpx.Client, stranger: httpx.Client) -> None:
    mine, theirs = (client.get("/v1/account").json()["data"] for client in (api, stranger))
    assert (mine["workspace"]["slug"], theirs["workspace"]["slug"]) == ("example-shop", "other-shop")
    named = {"x-workspace-id": mine["workspace"]["id"]}
    assert api.get("/v1/apps", headers=named).status_code == 200
