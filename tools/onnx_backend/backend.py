"""`QnncBackend`: the importer and the interpreter, behind ONNX's backend interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from onnx import (
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from lowering.interpreter.engine import Interpreter
from qdialect.data import Array
from tools.onnx_backend.frames import frame_constants
from tools.onnx_backend.operands import data_inputs
from tools.onnx_import.accepted import OPS
from tools.onnx_import.frontend import import_onnx
from tools.onnx_import.model_file import standard_opset


class QnncBackendRep(BackendRep):
    """A model that is imported when it is run.

    What it computes is the network as trained, in the interpreter: the meaning that C
    and hardware keep. Two things are added to what the importer does:

    - Inputs of the graph that its nodes read as parameters (weights, scales, shapes)
      are made constants first, with the values given for them.
    - A graph without a batch axis gets one (`frames`); results are given without it.

    Results have the element types that the model states.
    """

    def __init__(self, model: ModelProto):
        self._model = model

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The results for one set of inputs.

        Args:
            inputs: arrays in the order of the graph's inputs that are no initialisers,
                or by their names.
            kwargs: nothing is read from them.

        Returns:
            An array for each output of the graph.

        Raises:
            ImportRefused: the model has what the compiler does not take.
            InterpreterError: an input does not fit.
        """
        arrays = self._by_name(inputs)
        model = ModelProto()
        model.CopyFrom(self._model)
        shapes = {name: array.shape for name, array in arrays.items()}
        data = data_inputs(model.graph, shapes)
        constants = {
            item.name: numpy_helper.to_array(item) for item in model.graph.initializer
        }
        bound = {name: array for name, array in arrays.items() if name not in data}
        kept = [item for item in model.graph.input if item.name in data]
        opset = standard_opset(model, "model")
        changed = constants | bound
        framed = frame_constants(
            model.graph, opset, [shapes[item.name] for item in kept], changed
        )
        for name in changed.keys() - constants.keys():
            tensor = numpy_helper.from_array(changed[name], name)
            model.graph.initializer.append(tensor)
        del model.graph.input[:]
        feeds: list[Array] = []
        for item in kept:
            array = _plain(arrays[item.name])
            array = array[np.newaxis] if framed else array
            model.graph.input.append(_declared(item, array.shape))
            feeds.append(array)
        module = import_onnx(model.SerializeToString(), name="model")
        module.verify()
        results = Interpreter(module).run(feeds)
        if framed:
            results = [result.reshape(result.shape[1:]) for result in results]
        pairs = zip(results, self._model.graph.output, strict=True)
        return tuple(_as_declared(result, item) for result, item in pairs)

    def _by_name(self, inputs: object) -> dict[str, Array]:
        if isinstance(inputs, Mapping):
            items = cast("Mapping[str, Array]", inputs).items()
            return {name: np.asarray(array) for name, array in items}
        given = {item.name for item in self._model.graph.initializer}
        names = [i.name for i in self._model.graph.input if i.name not in given]
        arrays = cast("Sequence[Array]", inputs)
        pairs = zip(names, arrays, strict=True)
        return {name: np.asarray(array) for name, array in pairs}


def _plain(array: Array) -> Array:
    """Integers of few bits, which NumPy lacks, in the bytes that it has."""
    return array.astype(np.int8) if array.dtype.kind == "V" else array


def _declared(item: ValueInfoProto, shape: tuple[int, ...]) -> ValueInfoProto:
    """An input of this shape; the importer says what it makes of one that is no tensor."""
    if item.type.WhichOneof("value") != "tensor_type":
        return item
    code = item.type.tensor_type.elem_type
    return helper.make_tensor_value_info(item.name, code, shape)


def _as_declared(result: Array, item: ValueInfoProto) -> Array:
    code = item.type.tensor_type.elem_type
    if code == TensorProto.UNDEFINED:
        return result
    return result.astype(helper.tensor_dtype_to_np_dtype(code))


class QnncBackend(Backend):
    """The interpreter of networks as they were trained, as a backend of ONNX.

    >>> from tools.onnx_backend.backend import QnncBackend
    >>> QnncBackend.supports_device("CPU"), QnncBackend.supports_device("CUDA")
    (True, False)
    """

    @classmethod
    def is_compatible(
        cls, model: ModelProto, device: str = "CPU", **kwargs: Any
    ) -> bool:
        """Whether all ops of the model are in the importer's list.

        An op that is may still be refused for its attributes or element types.
        """
        return all(_is_listed(node) for node in model.graph.node)

    @classmethod
    def prepare(
        cls, model: ModelProto, device: str = "CPU", **kwargs: Any
    ) -> QnncBackendRep:
        """The model, to be run any number of times.

        Raises:
            ValueError: the device is none that the interpreter runs on.
        """
        if not cls.supports_device(device):
            raise ValueError(f"device '{device}' is not supported; expected CPU")
        return QnncBackendRep(model)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether it is the CPU."""
        return Device(device).type == DeviceType.CPU


def _is_listed(node: NodeProto) -> bool:
    op = OPS.get(node.op_type)
    return op is not None and node.domain in op.domains
