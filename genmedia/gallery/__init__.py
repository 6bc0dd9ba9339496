"""The gallery: the page that shows a whole store, the pages that turn 3D models, and contact sheets."""
