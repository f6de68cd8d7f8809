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

from lowering.interpreter.engine import Interpreter
from passes.quantize_inputs import QuantizeInputsPass
from qdialect.data import Array
from tools.onnx_import.frontend import import_onnx

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
MAX_BYTES = 3_000_000

Floats = NDArray[np.float32]

every_model = pytest.mark.parametrize(
    "path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem
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
    """What the QONNX executor makes of `images` [samples, pixels]."""
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


def labelled_images(path: Path, model: onnx.ModelProto) -> tuple[Floats, Array]:
    """Images as `model` takes them, and their labels."""
    if path.stem.startswith("digits"):
        data = np.load(MODELS / "digits_test.npz")
        return data["inputs"], data["labels"]
    # The first quantiser's scale is what one step of a stored pixel is worth.
    scale = next(t for t in model.graph.initializer if t.name == "quant0.scale")
    pixels = mnist_images().reshape(-1, 784).astype(np.float32)
    return pixels * numpy_helper.to_array(scale), mnist_labels()


@every_model
def test_accuracy_is_as_stated(path: Path):
    model = onnx.load(path)
    images, labels = labelled_images(path, model)
    logits = executor_logits(model, images)
    assert percent_right(logits, labels) == stated_accuracy()[path.name]


@every_model
def test_interpreter_agrees_at_both_levels(path: Path):
    model = onnx.load(path)
    images, _ = labelled_images(path, model)
    network = import_onnx(path)
    (logits,) = Interpreter(network).run([images])
    # The executor sums float32 products in an order of its own; a level that differed
    # would show as a whole step.
    np.testing.assert_allclose(logits, executor_logits(model, images), atol=1e-5)
    integer = apply(network, QuantizeInputsPass(), *TO_INTEGER)
    np.testing.assert_array_equal(Interpreter(integer).run([images])[0], logits)
