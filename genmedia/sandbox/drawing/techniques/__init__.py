"""The sandbox's FLORA techniques: what they ask for, what they cost, and what they really make of a picture."""

from genmedia.sandbox.drawing.techniques.catalogue import CATALOGUE, Field, FieldType, Technique
from genmedia.sandbox.drawing.techniques.rendering import Rendered, UnreadableInputError, render
from genmedia.sandbox.drawing.techniques.sample import sample_photo

__all__ = ["CATALOGUE", "Field", "FieldType", "Rendered", "Technique", "UnreadableInputError", "render", "sample_photo"]
