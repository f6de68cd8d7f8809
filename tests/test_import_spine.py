"""The trained networks of other people keep integer weights and survive text."""

import pytest
from shared_models import SPINE, SharedModel
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.parser import Parser

from qdialect.constants import WeightOp, constant_data
from qdialect.linear import MatMulOp
from qdialect.qnn import Qnn
from qdialect.quantisers import DequantizeOp
from qdialect.types import is_level
from tools.onnx_import.frontend import import_onnx


@pytest.fixture(params=SPINE, ids=lambda model: model.name)
def module(request: pytest.FixtureRequest) -> ModuleOp:
    model = request.param
    assert isinstance(model, SharedModel)
    return import_onnx(model.path)


def test_module_prints_and_parses(module: ModuleOp):
    context = Context()
    for dialect in (Builtin, Func, Qnn):
        context.load_dialect(dialect)
    assert (
        Parser(context, str(module)).parse_module().is_structurally_equivalent(module)
    )


def test_weights_are_levels(module: ModuleOp):
    products = [op for op in module.walk() if isinstance(op, MatMulOp)]
    assert products
    for product in products:
        dequantize = product.weights.owner
        assert isinstance(dequantize, DequantizeOp)
        data = constant_data(dequantize.input)
        assert data is not None
        assert is_level(data.type.element_type)


def test_no_float_copy_of_a_matrix_is_kept(module: ModuleOp):
    symbols = [op.value for op in module.walk() if isinstance(op, WeightOp)]
    matrices = [
        data for data in symbols if len(data.shape) == 2 and min(data.shape) > 1
    ]
    assert matrices or all(data.size < 64 for data in symbols)
    assert all(is_level(data.type.element_type) for data in matrices)
