"""The `qnn` dialect: every op, type and attribute of it."""

from xdsl.ir import Dialect

from qdialect.activation import LookupOp, ThresholdOp
from qdialect.calls import CallOp
from qdialect.constants import ConstantOp, LoadOp, WeightOp
from qdialect.convolution import ConvOp
from qdialect.data import RawBytes, TensorDataAttr
from qdialect.elementwise import ELEMENTWISE_OPS
from qdialect.linear import MatMulOp
from qdialect.packed import PackedMatMulOp, PackedType, PackOp, UnpackOp
from qdialect.packed_maps import PackedConvOp, PackedMaxPoolOp, PackedReshapeOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.quantisers import DequantizeOp, QuantizeOp, RoundingAttr, SignOp
from qdialect.rearranging import (
    BlockOrderAttr,
    ConcatOp,
    DepthToSpaceOp,
    PadOp,
    SliceOp,
    UpsampleOp,
)
from qdialect.selection import SoftmaxOp, TopKOp
from qdialect.shaping import ReshapeOp, TransposeOp
from qdialect.types import BipolarType, TernaryType

Qnn = Dialect(
    "qnn",
    [
        ConstantOp,
        WeightOp,
        LoadOp,
        QuantizeOp,
        DequantizeOp,
        SignOp,
        *ELEMENTWISE_OPS,
        MatMulOp,
        ConvOp,
        MaxPoolOp,
        SumPoolOp,
        ThresholdOp,
        LookupOp,
        ReshapeOp,
        TransposeOp,
        PadOp,
        ConcatOp,
        SliceOp,
        UpsampleOp,
        DepthToSpaceOp,
        TopKOp,
        SoftmaxOp,
        CallOp,
        PackOp,
        UnpackOp,
        PackedMatMulOp,
        PackedConvOp,
        PackedMaxPoolOp,
        PackedReshapeOp,
    ],
    [
        BipolarType,
        TernaryType,
        PackedType,
        RawBytes,
        TensorDataAttr,
        RoundingAttr,
        BlockOrderAttr,
    ],
)
