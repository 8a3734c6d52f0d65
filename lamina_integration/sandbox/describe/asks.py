"""What each operation can be asked: queries, bodies with an example, refusals, and what may be asked next."""

from __future__ import annotations

from typing import Any

from lamina_integration.sandbox.describe.shapes import (
    ANYTHING,
    FLAG,
    MODALITY,
    NUMBER,
    STATE,
    TEXT,
    TEXTS,
    Schema,
    many,
    maybe_absent,
    one_of,
    or_null,
    shape,
)

MANY_TEXTS = maybe_absent(or_null(TEXTS))
FIGURE = maybe_absent(or_null({"type": "integer"}))
WORDS: Schema = {"type": "string", "minLength": 1, "pattern": "\\S", "description": "text that is not blank"}
OPTIONAL = maybe_absent(or_null(TEXT))
OBJECT = maybe_absent(or_null(ANYTHING))
# Not of the format `uri`: an address is taken if it can be called, and what is put there is not looked at closely.
WEB_ADDRESS: Schema = {
    "type": "string",
    "pattern": "^https?://[a-zA-Z0-9\\[]",
    "description": "an http or https address",
}
CALLBACK = maybe_absent(or_null(WEB_ADDRESS))
KINDS = one_of("image", "video", "audio", "text")
FILE = one_of("image", "video", "audio")
PAGE: dict[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 25},
    "offset": {"type": "integer", "minimum": 0, "default": 0},
}
BRAND: dict[str, Schema] = {
    **{"brandProfileId": TEXT, "campaignId": TEXT, "workflowId": TEXT},
    **{"platform": TEXT, "objective": TEXT, "modality": TEXT},
}

# What is out of bounds is brought within them, here and in bodies; what is no number counts as not sent here.
QUERIES: dict[str, dict[str, Schema]] = {
    "list_apps": {"search": TEXT, "limit": {"type": "integer", "minimum": 1, "maximum": 100}},
    "start_run": {"webhook": WEB_ADDRESS},
    "list_runs": {"status": STATE, "appId": TEXT, "since": {"type": "string", "format": "date-time"}, **PAGE},
    "wait_for_run": {"timeout": {"type": "integer", "minimum": 1, "maximum": 120, "default": 60}},
    "list_assets": {"runId": TEXT, "outputType": KINDS, **PAGE},
    "brand_context": {**BRAND, "topK": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}},
    "recommendations": {**BRAND, "limit": PAGE["limit"]},
    "trends": {
        "category": TEXT,
        "platform": TEXT,
        "windowDays": {"type": "integer", "minimum": 1, "maximum": 365, "default": 7},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    },
    "history": {"limit": PAGE["limit"], "status": one_of("published", "failed", "pending"), "platform": TEXT},
}

ROUTED: dict[str, Schema] = {
    "brief": WORDS,
    "platform": OPTIONAL,
    "modality": OPTIONAL,
    "brandProfileId": OPTIONAL,
    "campaignId": OPTIONAL,
    "appId": OPTIONAL,
    "inputs": OBJECT,
    "templateId": OPTIONAL,
    "aspectRatio": OPTIONAL,
    "metadata": OBJECT,
    "autoQuality": maybe_absent(
        or_null(shape(enabled=maybe_absent(FLAG), minScore=maybe_absent(NUMBER), maxRetries=FIGURE))
    ),
    "webhookUrl": CALLBACK,
    "numVariants": FIGURE,
    "contentType": OPTIONAL,
}
CONSTRAINTS = maybe_absent(
    or_null(shape(modality=maybe_absent(or_null(KINDS)), aspectRatio=OPTIONAL, outputFormats=MANY_TEXTS))
)
FIELD: dict[str, Schema] = {
    "brief": WORDS,
    "document": ANYTHING,
    "fieldName": OPTIONAL,
    "fieldDescription": OPTIONAL,
    "constraints": CONSTRAINTS,
    "appId": OPTIONAL,
}

# What is not as it says here is refused; an optional member may be null as well as absent.
BODIES: dict[str, Schema] = {
    "discover": shape(
        intent=WORDS,
        constraints=maybe_absent(or_null(shape(maxCredits=maybe_absent(or_null(NUMBER)), outputFormat=OPTIONAL))),
        limit=FIGURE,
    ),
    "start_run": shape(inputs=ANYTHING, outputs=MANY_TEXTS),
    "refine_run": shape(feedback=WORDS),
    "create": shape(**ROUTED),
    "plan_content": shape(**ROUTED),
    "batch": shape(items=many(shape(**ROUTED), minItems=1, maxItems=10), brandProfileId=OPTIONAL, campaignId=OPTIONAL),
    "brief": shape(
        goal=WORDS,
        platform=OPTIONAL,
        modality=OPTIONAL,
        count=FIGURE,
        brandProfileId=OPTIONAL,
        metadata=OBJECT,
    ),
    "score": shape(
        contentItemIds=MANY_TEXTS,
        platform=OPTIONAL,
        modality=OPTIONAL,
        limit=FIGURE,
    ),
    "preview": shape(**FIELD, numVariants=FIGURE),
    "confirm": {
        "anyOf": [
            shape(
                mode=one_of("app"),
                appId=TEXT,
                inputs=ANYTHING,
                outputs=MANY_TEXTS,
                rationale=OPTIONAL,
                webhookUrl=CALLBACK,
            ),
            shape(
                mode=one_of("freestyle"),
                freestyleRecipe=shape(modality=maybe_absent(or_null(MODALITY)), variants=many(ANYTHING, minItems=1)),
                webhookUrl=CALLBACK,
            ),
        ]
    },
    "auto_generate": shape(**FIELD, webhookUrl=CALLBACK, numVariants=FIGURE),
    "upload_urls": shape(
        files=many(shape(filename={"type": "string", "minLength": 1}, mediaType=FILE), minItems=1, maxItems=50)
    ),
    "predict": shape(concept=WORDS, platform=WORDS, modality=WORDS, brandProfileId=OPTIONAL, campaignId=OPTIONAL),
    "publish": shape(accountIds=many(TEXT, minItems=1), imageUrl=OPTIONAL, videoUrl=OPTIONAL, caption=OPTIONAL)
    | {"anyOf": [shape(**{name: WORDS}) for name in ("imageUrl", "videoUrl", "caption")]},
    "transfer": shape(sourceUrl=WEB_ADDRESS, mediaType=FILE, filename=OPTIONAL),
    "generate": shape(
        model=TEXT,
        prompt=maybe_absent(or_null({"type": "string", "maxLength": 2000})),
        params=OBJECT,
        webhookUrl=CALLBACK,
    ),
}
# A body that may be left out altogether.
BODILESS = {"score"}

CARTOON = "3f68debe-df0a-4fc9-bdd3-9d45a4160587"
BRIEF = "A cartoon portrait in the Ghibli style"
# Each does something with the apps that come with the stand-in.
EXAMPLES: dict[str, dict[str, Any]] = {
    "discover": {"intent": "product video for a shop", "constraints": {"maxCredits": 150}, "limit": 10},
    "start_run": {"inputs": {"Style": "Ghibli"}},
    "refine_run": {"feedback": "Warmer light, please."},
    "create": {"brief": BRIEF, "inputs": {"Style": "Ghibli"}},
    "plan_content": {"brief": "Catalogue views of a garment in the studio", "platform": "instagram"},
    "batch": {"items": [{"brief": BRIEF}, {"brief": "A quiet zebra"}]},
    "brief": {"goal": "Sell mugs before winter", "count": 2},
    "score": {"limit": 5},
    "preview": {
        "brief": "Product shots with a mood board",
        "document": {"cover": "https://shop.example/mug.jpg"},
        "constraints": {"aspectRatio": "4:5"},
    },
    "confirm": {"mode": "app", "appId": CARTOON, "inputs": {"Style": "Ghibli"}},
    "auto_generate": {"brief": BRIEF, "document": {}},
    "upload_urls": {"files": [{"filename": "mug.jpg", "mediaType": "image"}]},
    "predict": {"concept": "A mug in the rain", "platform": "instagram", "modality": "image"},
    "publish": {"accountIds": ["none"], "caption": "New in the shop."},
    "generate_image": {"model": "ideogram-v3", "prompt": "A mug by a window"},
    "generate_video": {"model": "veo3-text-to-video", "prompt": "Steam rises", "params": {"duration": 6}},
}
# Paths that want the id of a model of one kind.
PATH_EXAMPLES = {
    "appId": CARTOON,
    "templateId": "tmpl-new-arrival",
    "/v1/models/{modelId}": "nano-banana-pro",
    "/v1/models/image/{modelId}": "nano-banana-pro",
    "/v1/models/video/{modelId}": "veo3-text-to-video",
}

# Beyond those every operation may answer.
REFUSALS: dict[str, tuple[int, ...]] = {
    "start_run": (402,),
    "create": (402, 404),
    "plan_content": (404,),
    "confirm": (402, 404),
    "auto_generate": (402,),
    "refine_run": (402,),
    "generate": (402,),
    "list_runs": (400,),
    "list_assets": (400,),
}
REASONS = {
    400: "The body or the query does not fit",
    401: "There is no key, or an unknown one",
    402: "Not enough credits (only where the stand-in is told to refuse)",
    403: "Not this key's workspace",
    404: "Not there, or not for this key",
    429: "Too many requests; Retry-After says when to come back",
    500: "A fault that was asked for",
    503: "A fault that was asked for",
}

# From an answer to what can be asked with it: (function, parameter, where its value is in the answer).
NEXT: dict[str, tuple[tuple[str, str, str], ...]] = {
    "list_apps": (
        ("get_app", "appId", "/data/0/appId"),
        ("estimate", "appId", "/data/0/appId"),
        ("workflow", "appId", "/data/0/appId"),
    ),
    "start_run": (
        ("get_run", "runId", "/data/runId"),
        ("cancel_run", "runId", "/data/runId"),
        ("refine_run", "runId", "/data/runId"),
    ),
    "list_runs": (("get_run", "runId", "/data/0/runId"),),
    "list_assets": (("get_asset", "assetId", "/data/0/id"),),
    "list_guides": (("get_guide", "templateId", "/data/0/id"),),
    "confirm": (("get_freestyle_run", "runId", "/data/runId"),),
    "generate": (("get_model_run", "runId", "/data/runId"),),
}
