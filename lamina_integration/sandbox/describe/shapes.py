"""The shapes of the stand-in's answers, as JSON Schema.

Written down here and not taken from the wire models on purpose: those read whatever comes, these
say what is sent. Every member is required unless it is wrapped in `maybe_absent`; further members
are allowed, as everywhere in this API.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

ABSENT = "x-may-be-absent"
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
ANYTHING: Schema = {"type": "object"}
ADDRESS: Schema = {"type": "string", "format": "uri"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}


def shape(**members: Schema) -> Schema:
    """Return an object with these members."""
    required = [name for name, schema in members.items() if ABSENT not in schema]
    properties = {
        name: {word: value for word, value in schema.items() if word != ABSENT} for name, schema in members.items()
    }
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def maybe_absent(schema: Schema) -> Schema:
    """Return the schema of a member that is not always there."""
    return {**schema, ABSENT: True}


def or_null(schema: Schema) -> Schema:
    """Return a schema that null fits as well."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]} | (
        {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    )


def many(schema: Schema, **bounds: int) -> Schema:
    """Return a list of these."""
    return {"type": "array", "items": schema, **bounds}


def one_of(*words: str) -> Schema:
    """Return one of these words."""
    return {"type": "string", "enum": list(words)}


def ref(name: str) -> Schema:
    """Return a reference to a shape that several answers share."""
    return {"$ref": f"#/components/schemas/{name}"}


TEXTS = many(TEXT)
KIND = one_of("image", "video", "audio", "text")
STATE = one_of("queued", "running", "completed", "failed", "cancelled")
MODALITY = one_of("image", "video")
TIMES: dict[str, Schema] = {
    "errorMessage": or_null(TEXT),
    "startedAt": or_null(MOMENT),
    "completedAt": or_null(MOMENT),
    "createdAt": MOMENT,
}

SHARED: dict[str, Schema] = {
    "Error": shape(
        error=TEXT,
        code=maybe_absent(TEXT),
        retryable=maybe_absent(FLAG),
        retryAfter=maybe_absent(WHOLE),
        requestId=maybe_absent(TEXT),
        details=maybe_absent({"anyOf": [many(ref("Problem")), ref("ModelProblems")]}),
    ),
    "Problem": shape(param=TEXT, code=TEXT, message=TEXT),
    "ModelProblems": shape(
        code=TEXT,
        message=TEXT,
        details=shape(errors=many(shape(field=TEXT, error=TEXT, message=maybe_absent(TEXT), got=maybe_absent(ANY)))),
    ),
    "Pagination": shape(total=WHOLE, limit=WHOLE, offset=WHOLE),
    "Capabilities": shape(
        produces=TEXTS,
        strengths=TEXTS,
        bestFor=TEXTS,
        limitations=TEXTS,
        outputFormats=TEXTS,
        hasQualityControl=FLAG,
        hasHumanApproval=FLAG,
        generationStepCount=WHOLE,
        nodeTypes=TEXTS,
    ),
    "Thumbnail": shape(url=ADDRESS, type=MODALITY),
    "AppSummary": shape(
        appId=TEXT,
        name=TEXT,
        description=or_null(TEXT),
        isPublic=FLAG,
        capabilities=or_null(ref("Capabilities")),
        icon=or_null(TEXT),
        modality=or_null(TEXT),
        outputFormats=TEXTS,
        inputSummary=shape(required=many(ref("Named")), optional=many(ref("Named")), total=WHOLE),
        thumbnail=or_null(ref("Thumbnail")),
    ),
    "Named": shape(name=TEXT, type=TEXT),
    "Parameter": shape(
        id=maybe_absent(TEXT),
        key=maybe_absent(TEXT),
        name=TEXT,
        type=one_of("text", "options", "url"),
        required=maybe_absent(FLAG),
        default=maybe_absent(ANY),
        options=maybe_absent(TEXTS),
        accept=maybe_absent(TEXTS),
        multiple=maybe_absent(FLAG),
        description=maybe_absent(or_null(TEXT)),
    ),
    "App": shape(
        appId=TEXT,
        name=TEXT,
        description=or_null(TEXT),
        parameters=many(ref("Parameter")),
        outputs=many(shape(index=WHOLE, label=TEXT, type=KIND)),
    ),
    "Output": shape(
        id=TEXT,
        label=TEXT,
        type=one_of("pending", "image", "video", "audio", "text"),
        value=or_null(TEXT),
        status=one_of("pending", "completed", "error", "cancelled"),
        error=or_null(TEXT),
        mimeType=maybe_absent(TEXT),
        contentDescription=maybe_absent(TEXT),
        dimensions=maybe_absent(shape(width=WHOLE, height=WHOLE)),
        durationSeconds=maybe_absent(NUMBER),
        compatibleInputTypes=maybe_absent(TEXTS),
        canChainAs=maybe_absent(TEXTS),
        platformsOptimized=maybe_absent(TEXTS),
        suggestedNextSteps=maybe_absent(many(shape(description=TEXT, toolHint=or_null(TEXT)))),
    ),
    "Run": shape(
        runId=TEXT,
        workflowId=TEXT,
        status=STATE,
        outputs=many(ref("Output")),
        progress=shape(
            totalOutputs=WHOLE, completedOutputs=WHOLE, failedOutputs=WHOLE, percentComplete=or_null(NUMBER)
        ),
        quality=maybe_absent(shape(score=or_null(NUMBER), threshold=NUMBER, passed=FLAG, attempts=WHOLE)),
        **TIMES,
    ),
    "RunSummary": shape(runId=TEXT, workflowId=TEXT, status=STATE, source=TEXT, **TIMES),
    "RunStarted": shape(
        runId=TEXT,
        workflowId=TEXT,
        workflowName=TEXT,
        status=STATE,
        webhookUrl=maybe_absent(ADDRESS),
        outputs=many(ref("Output")),
    ),
    "ModelRun": shape(
        runId=TEXT,
        status=STATE,
        model=TEXT,
        resolvedParams=ANYTHING,
        output=or_null(shape(type=MODALITY, url=ADDRESS)),
        **TIMES,
    ),
    "Asset": shape(
        id=TEXT,
        runId=TEXT,
        nodeLabel=TEXT,
        outputType=KIND,
        sourceUrl=or_null(ADDRESS),
        cdnUrl=or_null(ADDRESS),
        textContent=or_null(TEXT),
        status=TEXT,
        createdAt=MOMENT,
    ),
    "SelectedApp": shape(appId=TEXT, name=TEXT, rationale=TEXT),
    "Warning": shape(field=TEXT, message=TEXT),
    "Routed": shape(
        status=one_of("ran", "plan", "needs_input", "needs_clarification", "unmatched"),
        mode=maybe_absent(one_of("app")),
        runId=maybe_absent(TEXT),
        selectedApp=maybe_absent(ref("SelectedApp")),
        draftedInputs=maybe_absent(ANYTHING),
        askUser=maybe_absent(many(shape(name=TEXT, question=TEXT))),
        warnings=maybe_absent(many(ref("Warning"))),
        selectedOutputs=maybe_absent(TEXTS),
        clarifications=maybe_absent(many(shape(question=TEXT))),
        reason=maybe_absent(TEXT),
    ),
    "Template": shape(
        id=TEXT,
        name=TEXT,
        description=or_null(TEXT),
        category=TEXT,
        suggestedModalities=TEXTS,
        suggestedPlatforms=TEXTS,
        guidanceData=shape(
            promptDirectives=TEXTS,
            negativePrompts=TEXTS,
            winningPatterns=TEXTS,
            testIdeas=TEXTS,
            creativeStructure=or_null(ANYTHING),
        ),
        multiAssetComposition=many(shape(role=TEXT, modality=TEXT, description=TEXT)),
        isBuiltIn=FLAG,
    ),
    "Pattern": shape(pattern=TEXT, occurrences=WHOLE, avgPerformance=NUMBER),
    "Model": shape(id=TEXT, displayName=TEXT, modality=MODALITY),
    "ModelDetail": shape(
        id=TEXT,
        displayName=TEXT,
        modality=MODALITY,
        paramSchema={"type": "object", "additionalProperties": shape(type=TEXT, required=maybe_absent(FLAG))},
    ),
    "IdAndName": shape(id=TEXT, name=TEXT),
}
