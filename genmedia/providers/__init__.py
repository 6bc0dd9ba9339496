"""The APIs that sell media, one module each: typed client, request and response models, reconcile rule."""
