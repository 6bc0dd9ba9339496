"""From a brief to the bytes of a GLB; imported by the renderer's process alone, for trimesh takes its time."""

import io
from typing import Any, cast

import numpy as np
import trimesh
from trimesh.visual.color import ColorVisuals
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from genmedia.sandbox.drawing.models import Brief, UnreadableSourceError
from genmedia.sandbox.drawing.models.clay import Floats, Ints, Mesh
from genmedia.sandbox.drawing.models.relief import raised, turned
from genmedia.sandbox.drawing.models.thinning import largest, normals, thinned
from genmedia.sandbox.drawing.models.wishes import built
from genmedia.sandbox.drawing.techniques.rendering import UNDECODABLE

_GREY = (168, 168, 172, 255)


def make(brief: Brief) -> bytes:
    """The model as GLB (glTF 2.0): the same bytes for the same brief.

    Raises:
        UnreadableSourceError: The source is not a picture, or not a model with triangles.
    """
    if isinstance(brief.source, str):
        return _written(built(brief.source, brief.seed, fine=brief.fine), texture=brief.texture)
    if brief.template == "model_optimize":
        return _optimized(brief.source, brief.polygon_count)
    try:
        views = [raised(brief.source, brief.seed, fine=brief.fine)]
        if brief.back:
            views.append(turned(raised(brief.back, brief.seed, fine=brief.fine)))
        return _written(*views, texture=brief.texture)
    except UNDECODABLE as error:
        raise UnreadableSourceError from error


def _written(*meshes: Mesh, texture: bool) -> bytes:
    return _exported([_covered(mesh, texture=texture) for mesh in meshes])


def _covered(mesh: Mesh, *, texture: bool) -> trimesh.Trimesh:
    material = PBRMaterial(metallicFactor=0.0, roughnessFactor=0.75)
    if texture:
        image = mesh.texture.copy()
        image.format = "PNG" if image.height <= 64 else "JPEG"
        material.baseColorTexture = image
    else:
        material.baseColorFactor = _GREY
    visual = TextureVisuals(uv=mesh.uv if texture else None, material=material)
    return trimesh.Trimesh(mesh.points, mesh.faces, vertex_normals=mesh.normals, visual=visual, process=False)


def _optimized(data: bytes, most: int) -> bytes:
    meshes = _read(data)
    total = sum(len(mesh.faces) for mesh in meshes)
    thin = [(mesh, *_thinned(mesh, most * len(mesh.faces) // total)) for mesh in meshes]
    left = [each for each in thin if len(each[2])]
    if not left:
        first = max(meshes, key=lambda mesh: len(mesh.faces))
        points = _floats(first.vertices)
        left = [(first, np.arange(len(points)), largest(points, _ints(first.faces), most))]
    return _exported([_part_of(*each) for each in left])


def _read(data: bytes) -> list[trimesh.Trimesh]:
    """The triangle meshes of a GLB where they stand in its scene."""
    meshes: list[trimesh.Trimesh] = []
    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False)
        for node in scene.graph.nodes_geometry:
            matrix, name = cast("tuple[Floats, str]", scene.graph[node])
            mesh = cast("object", scene.geometry[name])
            if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
                faces = _ints(mesh.faces) if np.linalg.det(matrix) > 0 else _ints(mesh.faces)[:, ::-1]
                points = trimesh.transform_points(_floats(mesh.vertices), matrix)
                meshes.append(trimesh.Trimesh(points, faces, visual=mesh.visual, process=False))
    except Exception as error:  # whatever a stranger's bytes make trimesh stumble over
        raise UnreadableSourceError from error
    if not meshes:
        raise UnreadableSourceError
    return meshes


def _thinned(mesh: trimesh.Trimesh, most: int) -> tuple[Ints, Ints]:
    points, visual = _floats(mesh.vertices), mesh.visual
    likeness: Floats = np.zeros((len(points), 0))
    if isinstance(visual, TextureVisuals) and visual.uv is not None:
        likeness = _floats(visual.uv)
    elif isinstance(visual, ColorVisuals) and visual.kind == "vertex":
        likeness = _floats(visual.vertex_colors)
    return thinned(points, likeness, _ints(mesh.faces), most)


def _part_of(mesh: trimesh.Trimesh, kept: Ints, faces: Ints) -> trimesh.Trimesh:
    used, faces = np.unique(faces, return_inverse=True)
    kept, faces = kept[used], faces.reshape(-1, 3)
    points, visual = _floats(mesh.vertices)[kept], mesh.visual
    if isinstance(visual, TextureVisuals):
        visual = TextureVisuals(uv=None if visual.uv is None else _floats(visual.uv)[kept], material=visual.material)
    elif isinstance(visual, ColorVisuals) and visual.kind == "vertex":
        visual = ColorVisuals(vertex_colors=visual.vertex_colors[kept])
    else:
        visual = None
    return trimesh.Trimesh(points, faces, vertex_normals=normals(points, faces), visual=visual, process=False)


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _ints(values: Any) -> Ints:
    return np.asarray(values, dtype=np.int64)


def _exported(meshes: list[trimesh.Trimesh]) -> bytes:
    return cast("bytes", trimesh.Scene(meshes).export(file_type="glb", include_normals=True))
