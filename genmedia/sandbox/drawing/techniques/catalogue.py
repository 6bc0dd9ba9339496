"""The techniques FLORA's document lists, each with inputs, outputs and a price.

Slugs, names and descriptions are the document's table and its one worked example. The document prints the inputs, outputs
and cost of that example alone; the others are plausible inventions, for a client must ask for them anyway.
"""

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["imageUrl", "videoUrl", "text"]


@dataclass(frozen=True)
class Field:
    """One input or output: its id on the wire, its name for people, and its type."""

    id: str
    name: str
    type: FieldType


@dataclass(frozen=True)
class Technique:
    """A workflow that can be bought: `cost` is in credits per run, and every input is required."""

    slug: str
    name: str
    description: str
    cost: int
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]


def _fields(kind: FieldType, *ids: str) -> tuple[Field, ...]:
    return tuple(Field(identity, identity.replace("_", " ").title(), kind) for identity in ids)


_PICTURE = _fields("imageUrl", "input_image")
_STILL = _fields("imageUrl", "output_image")
_CLIP = _fields("videoUrl", "output_video")


def _technique(
    slug: str,
    name: str,
    description: str,
    cost: int,
    *,
    inputs: tuple[Field, ...] = _PICTURE,
    outputs: tuple[Field, ...] = _STILL,
) -> Technique:
    return Technique(slug, name, description, cost, inputs, outputs)


_TECHNIQUES = (
    _technique(
        "art-directors-critique",
        "Art Director's Critique",
        "Analyze, critique, and redesign any creative asset.",
        6,
        outputs=_fields("text", "critique") + _fields("imageUrl", "redesign"),
    ),
    _technique(
        "auto-translate",
        "Auto Translate",
        "Translate text in images instantly",
        3,
        inputs=_PICTURE + _fields("text", "language"),
    ),
    _technique(
        "book-drop",
        "Book Drop",
        "Mocks up front and back book covers",
        5,
        inputs=_fields("imageUrl", "front_cover", "back_cover"),
        outputs=_fields("imageUrl", "front_mockup", "back_mockup"),
    ),
    _technique("cctv-cam", "CCTV Cam", "Any face, CCTV style", 3),
    _technique(
        "character-lock",
        "Character Lock",
        "One character, 6 different angles",
        8,
        outputs=_fields(
            "imageUrl", "front", "three_quarter_left", "three_quarter_right", "profile_left", "profile_right", "high_angle"
        ),
    ),
    _technique(
        "cinematic-movie-generator",
        "Cinematic Movie Stills",
        "Generate film-quality scene stills",
        8,
        inputs=_PICTURE + _fields("text", "scene"),
        outputs=_fields("imageUrl", "wide_shot", "medium_shot", "close_up"),
    ),
    _technique("color-mapping", "Segment Mapper", "Color-codes every element in your image", 2),
    _technique(
        "color-transfer",
        "Color Transfer",
        "Apply color grading from any reference",
        3,
        inputs=_fields("imageUrl", "input_image", "reference_image"),
    ),
    _technique("earth-zoom-out", "Earth Zoom Out", "Zoom out to space from any scene", 25, outputs=_CLIP),
    _technique(
        "facade-swap",
        "Facade Swap",
        "Reskin buildings with new materials",
        5,
        inputs=_PICTURE + _fields("text", "material"),
    ),
    _technique(
        "fit-checks",
        "Fit Check",
        "Extract outfits & swap onto new looks",
        6,
        inputs=_fields("imageUrl", "person_image", "outfit_image"),
    ),
    _technique("glam-shots", "Glam Shots", "Create polished makeup ads instantly", 5),
    _technique(
        "icon-pack",
        "Icon Pack",
        "Generate matched icon sets from a prompt",
        4,
        inputs=_fields("text", "prompt"),
        outputs=_fields("imageUrl", "icon_sheet"),
    ),
    _technique(
        "live-like-an-amsterdammer",
        "Live like an Amsterdammer",
        "Places you into everyday Amsterdam scenes",
        6,
    ),
    _technique(
        "location-scouter",
        "Location Scout",
        "Scouts five views from a single location",
        8,
        outputs=_fields("imageUrl", "wide_view", "aerial_view", "street_view", "detail_view", "dusk_view"),
    ),
    _technique(
        "logo-stylist",
        "Logo Stylist",
        "Stylize any logo with a new visual twist",
        4,
        inputs=_fields("imageUrl", "logo_image") + _fields("text", "style"),
    ),
    _technique("memoji-me", "Memoji Me", "Turn any face into a custom memoji", 3),
    _technique("moodboard-maker", "Mood Board Maker", "Eclectic mood board from a photo", 5),
    _technique("mugshot", "Mugshot", "Turn any portrait into a mugshot", 3),
    _technique("palette-pull", "Palette Pull", "Extract color palettes from any image", 2),
    _technique("portrait-enhancer", "Portrait Enhancer", "Enhance portrait photos with AI", 5),
    _technique("product-animator", "Product Animator", "Animate your product", 18, outputs=_CLIP),
    _technique(
        "product-lookbook-grid",
        "Product Lookbook Grid",
        "Turn products into styled grid layouts",
        6,
    ),
    _technique("product-motion", "Product Motion", "Animate product shots in one click", 15, outputs=_CLIP),
    _technique(
        "quick-reframe",
        "Layout Resizer",
        "Resize layouts for any aspect ratio",
        3,
        inputs=_PICTURE + _fields("text", "aspect_ratio"),
    ),
    _technique("relight-technique", "Relighting", "Relights your photo", 4),
    _technique(
        "room-render",
        "Room Render",
        "Turn floor plans into realistic rooms",
        7,
        inputs=_fields("imageUrl", "floor_plan"),
    ),
    _technique(
        "seamless-transition",
        "Seamless Transition",
        "Animate between any two frames",
        20,
        inputs=_fields("imageUrl", "first_frame", "last_frame"),
        outputs=_CLIP,
    ),
    _technique("sigil", "Sigil", "Turns any image into an animated glyph", 14, outputs=_CLIP),
    _technique(
        "sketch-to-garment",
        "Garment Sketch",
        "One sketch, one final garment.",
        6,
        inputs=_fields("imageUrl", "sketch"),
    ),
    _technique("studio-blur", "Studio Blur", "Add pro depth-of-field blur to photos", 3),
    _technique("studio-shot", "Studio Shot", "Turns any product into a studio-lit shoot", 5),
    _technique(
        "tarot-pull",
        "Tarot Pull",
        "Custom illustrated tarot card readings",
        4,
        inputs=_fields("text", "question"),
        outputs=_fields("imageUrl", "card") + _fields("text", "reading"),
    ),
    _technique(
        "texture-matchers",
        "Texture Match",
        "Replicate textures & colors across assets",
        4,
        inputs=_fields("imageUrl", "input_image", "reference_image"),
    ),
    _technique(
        "turn-any-product-into-4-ad-visuals",
        "Turn any product into 4 ad visuals",
        "Make a full ad campaign from 1 product",
        8,
        outputs=_fields("imageUrl", "billboard", "story", "banner", "poster"),
    ),
    _technique("ugc-creation", "UGC Creator", "Casual, phone-shot clips of your product", 22, outputs=_CLIP),
    _technique(
        "video-scene-builder",
        "Video Scene Builder",
        "Compose video scenes from still assets",
        30,
        inputs=_fields("imageUrl", "still_1", "still_2", "still_3") + _fields("text", "scene"),
        outputs=_CLIP,
    ),
    _technique("wireframe", "Photo Wireframe", "Turn any photo into a clean wireframe", 2),
    _technique("wonder-fy", "Wonder(fy)", "Apply Wonder's cinematic style to images", 4),
)

CATALOGUE: dict[str, Technique] = {technique.slug: technique for technique in _TECHNIQUES}
"""Every technique by its slug."""
