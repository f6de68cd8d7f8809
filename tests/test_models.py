"""The networks of `models/` load and reach the accuracy their README states."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from pass_agreement import TO_INTEGER, apply
from shared_models import mnist_images, mnist_labels
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from lowering.interpreter.engine import Interpreter
from qdialect.convolution import ConvOp
from qdialect.data import Array
from qdialect.elementwise import AddOp, MulOp
from qdialect.pooling import MaxPoolOp
from qdialect.types import BipolarType, element_of, is_level
from tools.onnx_import.frontend import import_onnx

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
MAX_BYTES = 3_000_000

Floats = NDArray[np.float32]

# Its weights are real: it has an integer level only behind a pass that quantises them.
REAL_WEIGHTS = "digits_mlp_float_a4"

PATHS = sorted(MODELS.glob("*.onnx"))
every_model = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
every_quantised_model = pytest.mark.parametrize(
    "path",
    [path for path in PATHS if path.stem != REAL_WEIGHTS],
    ids=lambda path: path.stem,
)


def stated_accuracy() -> dict[str, float]:
    """File name -> per cent, from the rows of the README's table."""
    row = re.compile(r"^\| `(\w+\.onnx)` .*\| ([\d.]+) %", re.MULTILINE)
    return {name: float(share) for name, share in row.findall(readme())}


def readme() -> str:
    return (MODELS / "README.md").read_text()


def with_batch(model: onnx.ModelProto, samples: int) -> onnx.ModelProto:
    """A copy that takes `samples` at once."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in (*copy.graph.input, *copy.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = samples
    return copy


def executor_logits(model: onnx.ModelProto, images: Floats) -> Floats:
    """What the QONNX executor makes of `images` [samples, ...]."""
    wrapper = pytest.importorskip("qonnx.core.modelwrapper")
    executor = pytest.importorskip("qonnx.core.onnx_exec")
    shapes = pytest.importorskip("qonnx.transformation.infer_shapes")
    batched = wrapper.ModelWrapper(with_batch(model, len(images)))
    batched = batched.transform(shapes.InferShapes())
    outputs = executor.execute_onnx(batched, {model.graph.input[0].name: images})
    return outputs[model.graph.output[0].name]


def percent_right(logits: Floats, labels: Array) -> float:
    return round(100 * float((logits.argmax(1) == labels).mean()), 2)


def test_readme_lists_the_models_that_exist():
    assert set(stated_accuracy()) == {path.name for path in MODELS.glob("*.onnx")}


@every_model
def test_model_is_small_and_has_gammas_of_both_signs(path: Path):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert path.stat().st_size < MAX_BYTES
    gammas = [
        numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.name.endswith(".gamma")
    ]
    assert gammas
    assert all((gamma < 0).any() and (gamma > 0).any() for gamma in gammas)


def frame_shape(model: onnx.ModelProto) -> list[int]:
    """The shape of one input, without the batch."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    return [dim.dim_value for dim in dims][1:]


def pixel_step(model: onnx.ModelProto) -> Array:
    """What one step of a stored pixel is worth: the scale of the first quantiser."""
    (scale,) = [t for t in model.graph.initializer if t.name == "quant0.scale"]
    return numpy_helper.to_array(scale)


def labelled_images(path: Path, model: onnx.ModelProto) -> tuple[Floats, Array]:
    """Images as `model` takes them, and their labels."""
    shape = frame_shape(model)
    if path.stem.startswith("digits"):
        data = np.load(MODELS / "digits_test.npz")
        return data["inputs"].reshape(-1, *shape), data["labels"]
    pixels = mnist_images().reshape(-1, *shape).astype(np.float32)
    return pixels * pixel_step(model), mnist_labels()


@every_model
def test_accuracy_is_as_stated(path: Path):
    model = onnx.load(path)
    images, labels = labelled_images(path, model)
    logits = executor_logits(model, images)
    assert percent_right(logits, labels) == stated_accuracy()[path.name]


def test_interpreter_agrees_on_real_weights():
    path = MODELS / f"{REAL_WEIGHTS}.onnx"
    model = onnx.load(path)
    images, _ = labelled_images(path, model)
    (logits,) = Interpreter(import_onnx(path)).run([images])
    expected = executor_logits(model, images)
    # Sums of real products differ in their last bits, and a level may then.
    assert (np.abs(logits - expected) < 1e-3).mean() > 0.99
    np.testing.assert_array_equal(logits.argmax(1), expected.argmax(1))


@every_quantised_model
def test_interpreter_agrees_at_both_levels(path: Path):
    model = onnx.load(path)
    images, _ = labelled_images(path, model)
    network = import_onnx(path)
    (logits,) = Interpreter(network).run([images])
    # The executor sums float32 products in an order of its own; a level that differed
    # would show as a whole step.
    np.testing.assert_allclose(logits, executor_logits(model, images), atol=1e-5)
    integer = apply(network, *TO_INTEGER)
    np.testing.assert_array_equal(Interpreter(integer).run([images])[0], logits)


@every_quantised_model
def test_integer_level_agrees_on_noise(path: Path):
    # Noise reaches what no image does: long sums, pixels out of range.
    model, network = onnx.load(path), import_onnx(path)
    levels = np.random.default_rng(0).integers(-4, 300, (200, *frame_shape(model)))
    levels[::2] //= 8
    frames = (levels * pixel_step(model)).astype(np.float32)
    (expected,) = Interpreter(network).run([frames])
    (found,) = Interpreter(apply(network, *TO_INTEGER)).run([frames])
    np.testing.assert_array_equal(found, expected)


def core_ops(name: str) -> list[Operation]:
    """The operations of the integer core of a network, all on levels."""
    module = apply(import_onnx(MODELS / name), *TO_INTEGER)
    (core,) = [
        op
        for op in module.body.block.ops
        if isinstance(op, FuncOp) and op.sym_name.data == "core"
    ]
    ops = list(core.body.block.ops)
    assert all(is_level(element_of(value)) for op in ops for value in op.results)
    return ops


def test_convolutions_of_bipolar_maps_pad_with_zeros():
    convolutions = [
        op for op in core_ops("digits_cnn_w1a1.onnx") if isinstance(op, ConvOp)
    ]
    bipolar = [op for op in convolutions if element_of(op.input) == BipolarType()]
    assert len(convolutions) == 3
    assert len(bipolar) == 2
    assert all(op.is_padded for op in bipolar)


def test_pools_of_the_binary_network_are_of_bits():
    pools = [op for op in core_ops("digits_cnn_w1a1.onnx") if isinstance(op, MaxPoolOp)]
    assert [element_of(op.out) for op in pools] == [BipolarType()] * 2


def test_residual_sums_are_of_levels():
    sums = [op for op in core_ops("digits_resnet_w2a2.onnx") if isinstance(op, AddOp)]
    assert len(sums) == 2
    # One scale for both sides of the first; a step of one side of the second is worth
    # more than a step of the other.
    is_scaled = [
        any(isinstance(operand.owner, MulOp) for operand in op.operands) for op in sums
    ]
    assert is_scaled == [False, True]
