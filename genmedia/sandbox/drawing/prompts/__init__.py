"""Pictures and clips from prompts: what the sandbox's text-to-image and text-to-video models make."""

from genmedia.sandbox.drawing.prompts.rendering import Prompt, UnreadableReferenceError, film, paint

__all__ = ["Prompt", "UnreadableReferenceError", "film", "paint"]
