"""Pictures, videos and models: inspection of files, conversion, and smaller pictures of them."""
