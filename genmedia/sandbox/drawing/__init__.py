"""What jobs of the sandbox give: pictures, videos and models that are really drawn."""
