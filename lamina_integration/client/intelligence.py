"""Intelligence: what Lamina knows of a brand and expects of an idea."""

from __future__ import annotations

from lamina_integration.client.answers import many, one
from lamina_integration.client.calls import Call, Group, Mode, endpoint, given
from lamina_integration.wire import BrandContext, Prediction, Recommendation, Trends


class Intelligence(Group[Mode]):
    """Context, predictions, recommendations, trends."""

    @endpoint
    def brand_context(
        self,
        *,
        brand_profile_id: str | None = None,
        campaign_id: str | None = None,
        app_id: str | None = None,
        platform: str | None = None,
        objective: str | None = None,
        modality: str | None = None,
        top: int | None = None,
    ) -> Call[BrandContext]:
        """Return what is known of a brand; any part of it may be absent."""
        query = given(
            brandProfileId=brand_profile_id,
            campaignId=campaign_id,
            workflowId=app_id,
            platform=platform,
            objective=objective,
            modality=modality,
            topK=top,
        )
        return Call("GET", "/v1/intelligence/brand-context", one(BrandContext), query=query)

    @endpoint
    def predict(
        self,
        concept: str,
        *,
        platform: str,
        modality: str,
        brand_profile_id: str | None = None,
        campaign_id: str | None = None,
    ) -> Call[Prediction]:
        """Return how a concept may do; each call is paid for."""
        body = given(
            concept=concept,
            platform=platform,
            modality=modality,
            brandProfileId=brand_profile_id,
            campaignId=campaign_id,
        )
        return Call("POST", "/v1/intelligence/predict", one(Prediction), body=body, patience_seconds=120.0)

    @endpoint
    def recommendations(
        self,
        *,
        brand_profile_id: str | None = None,
        campaign_id: str | None = None,
        app_id: str | None = None,
        platform: str | None = None,
        objective: str | None = None,
        modality: str | None = None,
        limit: int | None = None,
    ) -> Call[tuple[Recommendation, ...]]:
        """Return what Lamina suggests to do."""
        query = given(
            brandProfileId=brand_profile_id,
            campaignId=campaign_id,
            workflowId=app_id,
            platform=platform,
            objective=objective,
            modality=modality,
            limit=limit,
        )
        return Call("GET", "/v1/intelligence/recommendations", many(Recommendation), query=query)

    @endpoint
    def trends(
        self,
        *,
        category: str | None = None,
        platform: str | None = None,
        window_days: int | None = None,
        limit: int | None = None,
    ) -> Call[Trends]:
        """Return what is rising, new and falling."""
        query = given(category=category, platform=platform, windowDays=window_days, limit=limit)
        return Call("GET", "/v1/intelligence/trends", one(Trends), query=query)
