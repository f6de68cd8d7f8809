"""The `qnn` dialect: every op, type and attribute of it."""

from xdsl.ir import Dialect

from qdialect.activation import LookupOp, ThresholdOp
from qdialect.calls import CallOp
from qdialect.coded_data import CodedDataAttr
from qdialect.constants import ConstantOp, DecodeOp, LoadOp, WeightOp
from qdialect.convolution import ConvOp
from qdialect.data import RawBytes, TensorDataAttr
from qdialect.elementwise import ELEMENTWISE_OPS
from qdialect.from_posit import FromPositOp
from qdialect.linear import MatMulOp
from qdialect.packed import (
    OddType,
    PackedMatMulOp,
    PackedType,
    PackOp,
    SignMagnitudeType,
    UnpackOp,
)
from qdialect.packed_maps import PackedConvOp, PackedMaxPoolOp, PackedReshapeOp
from qdialect.pooling import MaxPoolOp, SumPoolOp
from qdialect.posit import PositType
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
from qdialect.smooth import SMOOTH_OPS
from qdialect.types import BipolarType, TernaryType

Qnn = Dialect(
    "qnn",
    [
        ConstantOp,
        WeightOp,
        LoadOp,
        DecodeOp,
        QuantizeOp,
        DequantizeOp,
        SignOp,
        FromPositOp,
        *ELEMENTWISE_OPS,
        *SMOOTH_OPS,
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
        PositType,
        OddType,
        SignMagnitudeType,
        PackedType,
        RawBytes,
        TensorDataAttr,
        CodedDataAttr,
        RoundingAttr,
        BlockOrderAttr,
    ],
)
