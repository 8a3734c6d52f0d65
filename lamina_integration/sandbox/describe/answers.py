"""What each operation answers when it does what it was asked, by the name of the function that serves it."""

from __future__ import annotations

from lamina_integration.sandbox.describe.shapes import (
    ADDRESS,
    ANYTHING,
    FLAG,
    KIND,
    MODALITY,
    MOMENT,
    NUMBER,
    SHARE,
    STATE,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    many,
    maybe_absent,
    one_of,
    or_null,
    ref,
    shape,
)

CREDITS = shape(expected=NUMBER, min=NUMBER, max=NUMBER)
TREND = shape(
    label=TEXT, momentum=NUMBER, exampleContentItemIds=maybe_absent(TEXTS), formatDescription=maybe_absent(TEXT)
)
MEMBER: dict[str, Schema] = {"name": or_null(TEXT), "slug": or_null(TEXT), "role": or_null(TEXT)}

# What is inside `data`.
DATA: dict[str, Schema] = {
    "list_apps": many(ref("AppSummary")),
    "get_app": ref("App"),
    "estimate": shape(
        appId=TEXT,
        name=TEXT,
        estimatedCredits=CREDITS,
        breakdown=many(shape(nodeId=TEXT, nodeType=TEXT, credits=NUMBER)),
        currentBalance=NUMBER,
        affordable=FLAG,
        credits=maybe_absent(shape(manageUrl=ADDRESS)),
    ),
    "workflow": shape(nodes=many(shape(id=TEXT, type=TEXT, label=TEXT)), edges=many(shape(source=TEXT, target=TEXT))),
    "discover": shape(
        matches=many(
            shape(
                appId=TEXT,
                name=TEXT,
                description=or_null(TEXT),
                relevanceScore=SHARE,
                capabilities=or_null(ref("Capabilities")),
                estimatedCredits=or_null(NUMBER),
                whyMatch=TEXT,
                thumbnail=or_null(ref("Thumbnail")),
            )
        ),
        intent=shape(medium=KIND, summary=TEXT),
    ),
    "start_run": ref("RunStarted"),
    "list_runs": many(ref("RunSummary")),
    "get_run": ref("Run"),
    "get_freestyle_run": ref("Run"),
    "wait_for_run": ref("Run"),
    "cancel_run": shape(runId=TEXT, status=one_of(*STATE["enum"], "cancel_requested", "not_cancellable")),
    "refine_run": shape(
        runId=TEXT,
        status=STATE,
        summary=TEXT,
        refinedNodes=many(shape(nodeId=TEXT, reason=TEXT)),
        outputs=many(ref("Output")),
        errorMessage=or_null(TEXT),
    ),
    "create": ref("Routed"),
    "plan_content": ref("Routed"),
    "batch": shape(
        batchId=TEXT,
        total=WHOLE,
        queued=WHOLE,
        failed=WHOLE,
        items=many(
            shape(
                index=WHOLE,
                status=one_of("queued", "failed"),
                runId=maybe_absent(TEXT),
                workflowId=maybe_absent(TEXT),
                workflowName=maybe_absent(TEXT),
                error=maybe_absent(TEXT),
            )
        ),
    ),
    "brief": shape(
        concepts=many(
            shape(
                title=TEXT,
                concept=TEXT,
                prompt=TEXT,
                platform=TEXT,
                modality=TEXT,
                format=TEXT,
                predictedPerformance=TEXT,
                rationale=TEXT,
            )
        )
    ),
    "score": shape(
        workspaceId=TEXT,
        itemsScanned=WHOLE,
        scoresCreated=WHOLE,
        contentItemIds=TEXTS,
        scores=many(
            shape(
                contentItemId=TEXT,
                overallScore={"type": "number", "minimum": 0, "maximum": 100},
                score=SHARE,
                label=TEXT,
                dimensions={"type": "object", "additionalProperties": NUMBER},
                feedback=TEXT,
            )
        ),
    ),
    "preview": shape(
        mode=one_of("app", "freestyle", "agent_failed"),
        reason=maybe_absent(TEXT),
        errors=maybe_absent(TEXTS),
        selectedApp=maybe_absent(ref("SelectedApp")),
        draftedInputs=maybe_absent(
            {"type": "object", "additionalProperties": shape(value={}, source=TEXT)},
        ),
        form=maybe_absent(
            many(
                shape(
                    kind=one_of("text", "select", "multiSelect", "image", "video", "audio"),
                    name=TEXT,
                    question=TEXT,
                    placeholder=maybe_absent(TEXT),
                    options=maybe_absent(TEXTS),
                    max=maybe_absent(WHOLE),
                    suggestedDefault=maybe_absent(shape(source=TEXT, value=TEXT, label=TEXT)),
                )
            )
        ),
        warnings=maybe_absent(many(ref("Warning"))),
        freestylePlan=maybe_absent(shape(modality=MODALITY, rationale=TEXT, variants=many(ANYTHING))),
        estimate=maybe_absent(shape(credits=or_null(CREDITS), manageUrl=or_null(ADDRESS))),
    ),
    "confirm": shape(
        mode=one_of("app", "freestyle"),
        runId=TEXT,
        selectedApp=maybe_absent(ref("SelectedApp")),
        draftedInputs=maybe_absent(ANYTHING),
        mediaType=maybe_absent(MODALITY),
        numVariants=maybe_absent(WHOLE),
        submittedCount=maybe_absent(WHOLE),
        failedCount=maybe_absent(WHOLE),
    ),
    "auto_generate": shape(
        status=one_of("started", "needs_choice"),
        runId=maybe_absent(TEXT),
        mode=maybe_absent(one_of("app")),
        selectedApp=maybe_absent(ref("SelectedApp")),
        draftedInputs=maybe_absent(ANYTHING),
        reason=maybe_absent(TEXT),
        candidates=maybe_absent(
            many(
                shape(
                    appId=TEXT,
                    name=TEXT,
                    description=or_null(TEXT),
                    missingRequiredInputs=TEXTS,
                    draftableInputs=ANYTHING,
                )
            )
        ),
    ),
    "list_guides": many(ref("Template")),
    "get_guide": ref("Template"),
    "list_assets": many(ref("Asset")),
    "get_asset": ref("Asset"),
    "upload_urls": shape(
        uploads=many(
            shape(
                filename=TEXT,
                mediaType=one_of("image", "video", "audio"),
                contentTypeHint=TEXT,
                uploadUrl=ADDRESS,
                assetUrl=ADDRESS,
                assetId=or_null(TEXT),
                expiresAt=or_null(MOMENT),
            )
        )
    ),
    "brand_context": shape(
        brandDna=or_null(
            shape(
                voiceAttributes=TEXTS,
                visualIdentity=TEXTS,
                contentPillars=TEXTS,
                audienceSignals=TEXTS,
                guardrails=TEXTS,
                toneSpectrum=or_null(shape(primary=or_null(TEXT), secondary=or_null(TEXT), avoid=TEXTS)),
                performanceProfile=or_null(
                    shape(topPatterns=TEXTS, weakPatterns=TEXTS, avgEngagementTier=or_null(TEXT))
                ),
            )
        ),
        guidance=or_null(
            shape(
                promptDirectives=TEXTS,
                negativePrompts=TEXTS,
                recommendedMoves=TEXTS,
                testIdeas=TEXTS,
                winningPatterns=TEXTS,
                weakPatterns=TEXTS,
                supportingMetrics=TEXTS,
                creativeStructure=or_null(ANYTHING),
            )
        ),
        topPatterns=or_null(
            shape(
                topItems=many(
                    shape(
                        id=TEXT,
                        title=or_null(TEXT),
                        modality=or_null(TEXT),
                        platform=or_null(TEXT),
                        performanceScore=NUMBER,
                        winningPatterns=TEXTS,
                    )
                ),
                topPatterns=many(ref("Pattern")),
                weakPatterns=many(ref("Pattern")),
            )
        ),
    ),
    "predict": shape(
        trendAlignment=SHARE,
        brandFit=SHARE,
        performancePrediction=SHARE,
        fatigueRisk=SHARE,
        confidence=SHARE,
        reasoning=TEXTS,
        comparableContentItemIds=TEXTS,
        recommendedAdjustments=TEXTS,
    ),
    "recommendations": many(
        shape(
            id=TEXT,
            type=TEXT,
            status=TEXT,
            priority=TEXT,
            title=TEXT,
            summary=or_null(TEXT),
            data=ANYTHING,
            createdAt=MOMENT,
        )
    ),
    "trends": shape(
        category=TEXT,
        platform=or_null(TEXT),
        topPatterns=many(TREND),
        emergingPatterns=many(TREND),
        decliningPatterns=many(TREND),
        windowStart=MOMENT,
        windowEnd=MOMENT,
    ),
    "channels": many(
        shape(
            id=TEXT,
            platform=TEXT,
            accountName=or_null(TEXT),
            accountType=or_null(TEXT),
            username=or_null(TEXT),
            hasInstagram=FLAG,
            createdAt=MOMENT,
        )
    ),
    "publish": shape(
        results=many(
            shape(
                accountId=TEXT,
                status=one_of("success", "error"),
                platform=TEXT,
                accountName=or_null(TEXT),
                postUrl=maybe_absent(ADDRESS),
                error=maybe_absent(TEXT),
            )
        ),
        summary=shape(total=WHOLE, success=WHOLE, failed=WHOLE),
    ),
    "transfer": shape(cdnUrl=ADDRESS, assetId=TEXT, filename=TEXT, url=ADDRESS),
    "history": many(
        shape(
            id=TEXT,
            platform=TEXT,
            contentType=one_of("image", "video", "text"),
            contentUrl=or_null(TEXT),
            caption=or_null(TEXT),
            postUrl=or_null(ADDRESS),
            status=one_of("published", "failed", "pending"),
            error=or_null(TEXT),
            publishedAt=or_null(MOMENT),
            createdAt=MOMENT,
        )
    ),
    "account": shape(
        user=shape(id=TEXT, email=or_null(TEXT)),
        workspace=or_null(shape(id=TEXT, **MEMBER)),
        memberships=many(shape(workspaceId=TEXT, **MEMBER)),
    ),
    "usage": shape(
        credits=shape(balance=NUMBER, totalEarned=NUMBER, totalSpent=NUMBER),
        rateLimit=shape(limit=WHOLE, windowMs=WHOLE),
    ),
    "brand_profiles": many(ref("IdAndName")),
    "campaigns": many(ref("IdAndName")),
    "list_models": many(ref("Model")),
    "describe_model": ref("ModelDetail"),
    "describe_image_model": ref("ModelDetail"),
    "describe_video_model": ref("ModelDetail"),
    "generate": shape(runId=TEXT, status=STATE, model=TEXT, resolvedParams=ANYTHING),
    "get_model_run": ref("ModelRun"),
}

# One message of a stream; its data is a run without an envelope, a number (ping) or a sentence (timeout).
EVENT = shape(event=one_of("progress", "complete", "error", "timeout", "ping"), data=TEXT)

# The few whose envelope is not `data` alone.
WHOLE_ANSWERS: dict[str, Schema] = {
    "list_runs": shape(data=DATA["list_runs"], pagination=ref("Pagination")),
    "list_assets": shape(data=DATA["list_assets"], pagination=ref("Pagination")),
    "wait_for_run": shape(data=DATA["wait_for_run"], timeout=FLAG),
    "signing_key": shape(
        keys=many(
            shape(kty=one_of("OKP"), crv=one_of("Ed25519"), x=TEXT, kid=TEXT, use=one_of("sig"), alg=one_of("EdDSA")),
            minItems=1,
        )
    ),
}
# Answered 202 when something was started; creating answers 200 when nothing was.
STATUSES: dict[str, tuple[int, ...]] = {
    "start_run": (202,),
    "create": (200, 202),
    "batch": (202,),
    "confirm": (202,),
    "auto_generate": (202,),
    "generate": (202,),
}


def envelope(name: str) -> Schema:
    """Return the whole body of an operation's answer."""
    return WHOLE_ANSWERS.get(name) or shape(data=DATA[name])
