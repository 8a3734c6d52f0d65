"""Intelligence: what Lamina knows of a brand, and what it expects."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina_integration.wire.base import (
    OBJECT,
    OBJECTS,
    Id,
    Labels,
    Mapping,
    MaybeText,
    Moment,
    Number,
    Text,
    Whole,
    Wire,
)
from lamina_integration.wire.content import Guidance


class Tone(Wire):
    """How a brand sounds."""

    primary: MaybeText = None
    secondary: MaybeText = None
    avoid: Labels = ()


class Performance(Wire):
    """What has worked for a brand."""

    top_patterns: Labels = ()
    weak_patterns: Labels = ()
    avg_engagement_tier: MaybeText = None


class BrandDna(Wire):
    """What a brand is."""

    voice_attributes: Labels = ()
    visual_identity: Labels = ()
    content_pillars: Labels = ()
    audience_signals: Labels = ()
    guardrails: Labels = ()
    tone_spectrum: Annotated[Tone | None, OBJECT] = None
    performance_profile: Annotated[Performance | None, OBJECT] = None


class PatternCount(Wire):
    """A pattern, how often it occurs and how well it does."""

    pattern: Text = ""
    occurrences: Whole = None
    avg_performance: Number = None


class TopItem(Wire):
    """One piece of content that does well."""

    id: Text = ""
    title: MaybeText = None
    modality: MaybeText = None
    platform: MaybeText = None
    performance_score: Number = None
    winning_patterns: Labels = ()


class TopPatterns(Wire):
    """What does well and what does not."""

    top_items: Annotated[tuple[TopItem, ...], OBJECTS] = ()
    top_patterns: Annotated[tuple[PatternCount, ...], OBJECTS] = ()
    weak_patterns: Annotated[tuple[PatternCount, ...], OBJECTS] = ()


class BrandContext(Wire):
    """What Lamina knows of a brand; in a fresh workspace any part may be None."""

    brand_dna: Annotated[BrandDna | None, OBJECT] = None
    guidance: Annotated[Guidance | None, OBJECT] = None
    top_patterns: Annotated[TopPatterns | None, OBJECT] = None


class Prediction(Wire):
    """How a concept may do; figures from 0 to 1."""

    trend_alignment: Number = None
    brand_fit: Number = None
    performance_prediction: Number = None
    fatigue_risk: Number = None
    confidence: Number = None
    reasoning: Labels = ()
    comparable_content_item_ids: Labels = ()
    recommended_adjustments: Labels = ()


class Recommendation(Wire):
    """Something Lamina suggests to do."""

    id: Id
    type: Text = ""
    status: Text = ""
    priority: Text = ""
    title: Text = ""
    summary: MaybeText = None
    data: Mapping = Field(default_factory=dict)
    created_at: Moment = None


class Trend(Wire):
    """One pattern and where it is going."""

    label: Text = ""
    momentum: Number = None
    example_content_item_ids: Labels = ()
    format_description: MaybeText = None


class Trends(Wire):
    """What is rising, new and falling within a window of days."""

    category: Text = ""
    platform: MaybeText = None
    top: Annotated[tuple[Trend, ...], OBJECTS] = Field(default=(), alias="topPatterns")
    emerging: Annotated[tuple[Trend, ...], OBJECTS] = Field(default=(), alias="emergingPatterns")
    declining: Annotated[tuple[Trend, ...], OBJECTS] = Field(default=(), alias="decliningPatterns")
    window_start: Moment = None
    window_end: Moment = None
