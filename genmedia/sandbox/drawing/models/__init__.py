"""3D models as GLB: what the sandbox's Generio makes of a prompt, of a picture and of another model.

Nothing here needs trimesh until something is made: that happens in the renderer's process.
"""

from dataclasses import dataclass
from typing import Literal

Template = Literal["model_generate_fromprompt", "model_generate_fromimage", "model_generate_fromviews", "model_optimize"]


@dataclass(frozen=True)
class Brief:
    """What is to be made.

    Attributes:
        template: Which of the ways.
        source: The prompt, the picture or the model (GLB).
        seed: Changes a generated shape a little.
        fine: Many triangles instead of few.
        texture: Colours; without them the model is grey.
        polygon_count: The most triangles that an optimised model has.
        back: Of a model from views: the picture of its back; empty for none.
    """

    template: Template
    source: str | bytes
    seed: int = 0
    fine: bool = True
    texture: bool = True
    polygon_count: int = 100_000
    back: bytes = b""


class UnreadableSourceError(ValueError):
    """The source's bytes are not a picture, or not a model with triangles."""
