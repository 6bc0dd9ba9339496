"""Table of the inputs, outputs and prices of fal's models: neither the queue nor its answers name a price.

fal bills units, whose kind depends on the model, and tells with each result how many they were.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from genmedia.forms.fields import field

SIZES = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""Names that a picture's `image_size` may have, with width and height in pixels."""


class Price(BaseModel):
    """One row of the price table: a model, and the price of a unit of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = field(
        "Model", "As the address of its page ends.", example="fal-ai/flux/dev", pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$"
    )
    makes: Literal["image", "video", "audio", "model"] = field("Makes", "What comes out.", example="image")
    takes: str = field("Takes", "The argument that a picture goes into; empty: words alone.", example="image_url", default="")
    usd: float = field("USD a unit", "Of what `per` says.", example=0.025, ge=0, allow_inf_nan=False)
    per: Literal["megapixel", "image", "second", "request"] = field("Unit", "What fal counts.", example="megapixel")
    usual: dict[str, Any] = field("Left out", "What fal takes for arguments that are left out and count.", default={})
    where: dict[str, Any] = field("Where", "The arguments that it holds for; empty: for all others.", default={})

    def units(self, arguments: Mapping[str, Any]) -> float | None:
        """Number of units that a request takes; None where the request does not tell."""
        told = {**self.usual, **arguments}
        images = _whole(told.get("num_images", 1))
        match self.per:
            case "request":
                return 1
            case "image":
                return images
            case "second":
                return _whole(told.get("duration"))
            case "megapixel":
                size = told.get("image_size")
                if isinstance(size, dict):
                    given = cast("dict[str, Any]", size)
                    width, height = _whole(given.get("width")), _whole(given.get("height"))
                else:
                    width, height = SIZES.get(str(size), (None, None))
                return width and height and images and math.ceil(width * height / 1e6) * images

    def cost(self, arguments: Mapping[str, Any]) -> float | None:
        """Price of a request in USD; None where it is unknown."""
        units = self.units(arguments)
        return None if units is None else units * self.usd


def _whole(told: Any) -> int | None:
    try:
        return max(0, math.ceil(float(told)))
    except (TypeError, ValueError, OverflowError):
        return None


def price_of(prices: Sequence[Price], endpoint: str, arguments: Mapping[str, Any]) -> Price | None:
    """Return the first row that fits a request; None where there is none."""
    return next(
        (one for one in prices if one.endpoint == endpoint and all(arguments.get(k) == v for k, v in one.where.items())), None
    )


_LTX = "fal-ai/ltx-2/image-to-video"

PRICES = (
    Price(endpoint="fal-ai/flux/dev", makes="image", usd=0.025, per="megapixel", usual={"image_size": "landscape_4_3"}),
    Price(endpoint="fal-ai/flux-pro/kontext", makes="image", takes="image_url", usd=0.04, per="image"),
    *(
        Price(endpoint=_LTX, makes="video", takes="image_url", usd=usd, per="second", usual={"duration": 6}, where=where)
        for usd, where in ((0.24, {"resolution": "2160p"}), (0.12, {"resolution": "1440p"}), (0.06, {}))
    ),
)
"""Prices that fal's pages named; see the README for where and when."""
