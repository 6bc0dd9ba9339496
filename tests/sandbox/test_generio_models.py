import io
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from PIL import Image

from tests.sandbox.generio_customers import GLB, GenerioCustomer, assembled, packed, parsed, triangles

PHOTOS = Path(__file__).parents[2] / "photos"
FIXED: dict[str, Any] = {"seed": 1}


def mesh(data: bytes) -> trimesh.Trimesh:
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False)
    (name,) = scene.graph.nodes_geometry
    found = cast("object", scene.geometry[scene.graph[name][1]])
    assert isinstance(found, trimesh.Trimesh)
    return found


def points(data: bytes) -> npt.NDArray[np.float64]:
    return np.asarray(mesh(data).vertices)


def texture(data: bytes) -> Image.Image | None:
    visual: Any = mesh(data).visual
    return visual.material.baseColorTexture


def picture_of(colour: tuple[int, int, int], kind: str = "PNG") -> str:
    image = Image.new("RGB", (60, 40), colour)
    image.paste((255, 255, 255), (40, 10, 55, 30))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return packed(buffer.getvalue(), Image.MIME[kind])


@pytest.mark.parametrize(
    "prompt",
    [
        "A modern office chair", "A velvet armchair", "A wooden table", "A floor lamp", "A cup of coffee", "A blue vase",
        "A lighthouse", "A small house", "A castle", "An old oak tree", "A Christmas fir", "A pink flower", "A red mushroom",
        "A yellow car", "A friendly robot", "A rocket", "A sailing boat", "A snowman", "A cat", "A knight", "Melancholy",
    ],
)  # fmt: skip
@pytest.mark.parametrize("quality", ["low", "high"])
def test_a_prompt_becomes_a_sound_model_of_a_pleasant_size(generio: GenerioCustomer, prompt: str, quality: str) -> None:
    data = generio.model(prompt, parameters={"quality": quality})
    assert 60 < triangles(data) < 20_000
    made = mesh(data)
    corners = np.asarray(made.vertices)
    assert np.isfinite(corners).all()
    assert np.asarray(made.faces).max() < len(corners)
    assert float(np.ptp(corners, axis=0).max()) == pytest.approx(1)
    assert float(corners[:, 1].min()) == pytest.approx(0, abs=1e-6), "it stands on the ground"
    lengths = np.linalg.norm(np.asarray(made.vertex_normals), axis=1)
    assert np.allclose(lengths, 1, atol=1e-4)


@pytest.mark.parametrize("prompt", ["A cup", "A robot", "Melancholy"])
def test_faces_look_outwards(generio: GenerioCustomer, prompt: str) -> None:
    made = mesh(generio.model(prompt, parameters=FIXED))
    corners, normals = np.asarray(made.vertices)[made.faces], np.asarray(made.vertex_normals)[made.faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    agree = np.einsum("ij,ij->i", facing, normals.mean(axis=1)) > 0
    assert agree.mean() > 0.99


def test_the_same_prompt_and_seed_give_the_same_bytes_and_another_seed_another_shape(generio: GenerioCustomer) -> None:
    one, same, other = (generio.model("A chair", parameters={"seed": seed}) for seed in (1, 1, 2))
    assert one == same
    assert points(one).shape == points(other).shape, "it is still that chair"
    assert 0.001 < np.abs(points(one) - points(other)).max() < 0.3


def test_a_seed_of_minus_one_is_another_one_each_time(generio: GenerioCustomer) -> None:
    assert generio.model("A chair", parameters={"seed": -1}) != generio.model("A chair")


def test_different_words_give_different_things_and_several_stand_side_by_side(generio: GenerioCustomer) -> None:
    chair, robot, both = (generio.model(prompt, parameters=FIXED) for prompt in ("A chair", "A robot", "A chair and a robot"))
    assert triangles(chair) + triangles(robot) == triangles(both)
    fallbacks = {generio.model(prompt, parameters=FIXED) for prompt in ("Melancholy", "Joy", "Sixth symphony")}
    assert len(fallbacks) == 3


def test_a_colour_in_the_prompt_is_seen_on_the_model(generio: GenerioCustomer) -> None:
    shares: list[float] = []
    for colour in ("red", "blue"):
        image = texture(generio.model(f"A {colour} mushroom", parameters=FIXED))
        assert image is not None
        tones = np.asarray(image.convert("RGB"), dtype=float).reshape(-1, 3)
        shares.append(float((tones[:, 0] - tones[:, 2]).max()))
    assert shares[0] > 100 > shares[1]


def test_quality_counts_in_triangles(generio: GenerioCustomer, photo: bytes) -> None:
    for source, template in (("A chair", "model_generate_fromprompt"), (packed(photo, "image/jpeg"), "model_generate_fromimage")):
        low, high = (
            triangles(generio.model(source, template=template, parameters={"quality": quality})) for quality in ("low", "high")
        )
        assert high > 2 * low


def test_a_model_without_texture_is_grey(generio: GenerioCustomer, photo: bytes) -> None:
    for source, template in (("A chair", "model_generate_fromprompt"), (packed(photo, "image/jpeg"), "model_generate_fromimage")):
        content = parsed(generio.model(source, template=template, parameters={"texture": False}))
        assert "images" not in content
        (material,) = content["materials"]
        red, green, blue, alpha = material["pbrMetallicRoughness"]["baseColorFactor"]
        assert alpha == 1
        assert max(red, green, blue) - min(red, green, blue) < 0.05
        assert "images" in parsed(generio.model(source, template=template))


def test_a_picture_becomes_a_relief_that_carries_it(generio: GenerioCustomer, photo: bytes) -> None:
    data = generio.model(packed(photo, "image/jpeg"), template="model_generate_fromimage", parameters=FIXED)
    image, original = texture(data), Image.open(io.BytesIO(photo)).convert("RGB")
    assert image is not None
    assert image.width / image.height == pytest.approx(original.width / original.height, rel=0.01)
    apart = np.asarray(image.resize((64, 64)), dtype=float) - np.asarray(original.resize((64, 64)), dtype=float)
    assert np.abs(apart).mean() < 8
    wide, tall, _ = np.ptp(points(data), axis=0)
    assert wide / tall == pytest.approx(original.width / original.height, rel=0.02)


def test_what_is_bright_stands_out(generio: GenerioCustomer) -> None:
    corners = points(generio.model(picture_of((0, 0, 0)), template="model_generate_fromimage", parameters=FIXED))
    front = corners[corners[:, 2] >= 0]
    white = (np.abs(front[:, 0] - 0.29) < 0.08) & (np.abs(front[:, 1] - 0.33) < 0.1)
    black = front[:, 0] < 0
    assert front[white, 2].min() > 0.08
    assert front[black, 2].max() < 0.01


def test_different_pictures_give_different_reliefs(generio: GenerioCustomer) -> None:
    sources = [packed((PHOTOS / name).read_bytes(), "image/jpeg") for name in ("coffee.jpg", "astronaut.jpg")]
    one, other = (generio.model(source, template="model_generate_fromimage", parameters=FIXED) for source in sources)
    assert points(one).shape != points(other).shape or not np.allclose(points(one), points(other))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_documented_kind_of_picture_is_read(generio: GenerioCustomer, kind: str) -> None:
    assert triangles(generio.model(picture_of((200, 40, 40), kind), template="model_generate_fromimage")) > 100


@pytest.mark.parametrize("count", [4000, 1000, 200, 12, 1])
def test_an_optimized_model_has_at_most_so_many_triangles(generio: GenerioCustomer, count: int) -> None:
    heavy = generio.model("A robot and a car", parameters=FIXED)
    assert triangles(heavy) > 4000
    light = generio.model(packed(heavy, GLB), template="model_optimize", parameters={"polygon_count": count})
    assert 1 <= triangles(light) <= count
    if count >= 1000:
        assert triangles(light) > count / 3, "no more is lost than need be"
        assert np.allclose(np.ptp(points(light), axis=0), np.ptp(points(heavy), axis=0), atol=0.1)
        assert texture(light) is not None
    assert len(light) < len(heavy)


def test_an_optimized_relief_keeps_its_picture(generio: GenerioCustomer, photo: bytes) -> None:
    heavy = generio.model(packed(photo, "image/jpeg"), template="model_generate_fromimage")
    light = generio.model(packed(heavy, GLB), template="model_optimize", parameters={"polygon_count": 2000})
    images = texture(heavy), texture(light)
    assert images[0] is not None
    assert images[1] is not None
    assert images[0].size == images[1].size
    assert triangles(light) <= 2000 < triangles(heavy)


def test_a_model_that_is_light_enough_keeps_its_triangles(generio: GenerioCustomer) -> None:
    heavy = generio.model("A chair", parameters=FIXED)
    assert triangles(generio.model(packed(heavy, GLB), template="model_optimize")) == triangles(heavy)


def foreign(**options: Any) -> bytes:
    """A model as other programs write it: two placed, mirrored and coloured bodies without shared points."""
    ball = trimesh.creation.icosphere(subdivisions=4)
    loose = np.asarray(ball.vertices)[ball.faces].reshape(-1, 3)
    colours = np.tile(np.array([[255, 0, 0, 255]], dtype=np.uint8), (len(loose), 1))
    body = trimesh.Trimesh(loose, np.arange(len(loose)).reshape(-1, 3), vertex_colors=colours, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(body, geom_name="ball", transform=np.diag([1.0, 1, 1, 1]))
    scene.add_geometry(body, geom_name="other", transform=np.array([[-1.0, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    return cast("bytes", scene.export(file_type="glb", **options))


def test_a_strangers_model_is_made_lighter_where_it_stands_with_its_colours(generio: GenerioCustomer) -> None:
    heavy = foreign()
    light = generio.model(packed(heavy, GLB), template="model_optimize", parameters={"polygon_count": 600})
    assert 200 < triangles(light) <= 600
    scene = trimesh.load_scene(io.BytesIO(light), file_type="glb")
    assert np.allclose(scene.extents, [7, 2, 2], atol=0.2)
    for each in cast("dict[str, Any]", scene.geometry).values():
        assert (np.asarray(each.visual.vertex_colors)[:, :3] == [255, 0, 0]).all()


DAMAGES = ("text", "header", "half", "no mesh", "lying count", "outside reference", "lines")


def damaged(how: str) -> bytes:
    whole = foreign()
    content, binary = parsed(whole), whole[whole.index(b"BIN\0") + 4 :]
    match how:
        case "text":
            return b"glTF is not always what it says"
        case "header":
            return whole[:12]
        case "half":
            return whole[: len(whole) // 2]
        case "no mesh":
            return assembled({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}]})
        case "lying count":
            content["accessors"] = [accessor | {"count": 10**9} for accessor in content["accessors"]]
        case "outside reference":
            content["buffers"] = [{"uri": "http://127.0.0.1:9/buffer.bin", "byteLength": len(binary)}]
            return assembled(content)
        case _:
            for each in content["meshes"]:
                each["primitives"] = [piece | {"mode": 1} for piece in each["primitives"]]
    return assembled(content, binary)


@pytest.mark.parametrize("how", DAMAGES)
def test_what_is_no_model_fails_the_flow_and_not_the_sandbox(generio: GenerioCustomer, how: str) -> None:
    flow = generio.finish(generio.create(packed(damaged(how), GLB), template="model_optimize"))
    assert (flow["state"], flow.get("error")) == ("failed", "The model/gltf-binary could not be read.")
    assert triangles(generio.model("A cup")) > 0


def test_models_chain_from_prompt_to_optimized(generio: GenerioCustomer) -> None:
    flow = generio.finish(generio.create("A cup"))
    data = generio.http.get(generio.path(flow)).json()["data"]
    light = generio.model(data, template="model_optimize", parameters={"polygon_count": 300})
    assert triangles(light) <= 300


def test_the_server_starts_without_what_only_its_renderer_needs() -> None:
    program = "import sys, genmedia.sandbox.server; print('trimesh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
