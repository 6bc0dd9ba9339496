"""genmedia buys pictures, videos and 3D models from generative-media APIs: paid once, never lost, always seen."""

__version__ = "0.1.0"
