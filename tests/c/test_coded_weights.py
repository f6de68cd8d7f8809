"""Weights stored as code words: the C that decodes them equals the interpreter."""

import numpy as np
import pytest
from c_programs import SANITIZED, run_in_c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integer_cores import random_core, random_frames
from map_cores import random_map_core
from pass_agreement import apply
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region

from lowering.c.engine import CEngine
from lowering.c.errors import CError
from lowering.c.source import COptions, build_library, emit
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from passes.compress_weights import CompressWeightsPass
from qdialect.constants import DecodeOp, constant
from qdialect.data import Array
from qdialect.linear import MatMulOp
from qdialect.types import shape_of, signed, unsigned

CODINGS = ("raw", "huffman", "relative", "relative-huffman", "smallest")


def compressed(module: ModuleOp, seed: int) -> ModuleOp:
    """The core packed or not, its weights coded one way or another."""
    compress = CompressWeightsPass(
        CODINGS[seed % len(CODINGS)], gap_bits=seed % 4, codebook=seed % 7 != 0
    )
    if seed % 2:
        return apply(module, BitpackPass(panel=1 + seed % 5), compress)
    return apply(module, compress)


def assert_same(
    module: ModuleOp, changed: ModuleOp, decode: str, *, sanitized: bool
) -> None:
    """C of the changed core gives what the interpreter gives of the other."""
    frames = random_frames(module, 6)
    expected = Interpreter(module).run(frames, "core")
    as_changed = Interpreter(changed).run(frames, "core")
    if sanitized:
        found = run_in_c(changed, frames, SANITIZED, decode=decode)
    else:
        found = CEngine(changed, COptions(decode=decode))(frames)
    for a, b, c in zip(expected, as_changed, found, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("seed", range(6))
def test_compiled_programs(seed: int) -> None:
    module = random_core(seed)
    decode = ("fly", "load")[seed % 3 == 2]
    assert_same(module, compressed(module, seed), decode, sanitized=True)


@pytest.mark.parametrize("seed", range(6))
def test_compiled_programs_on_maps(seed: int) -> None:
    module = random_map_core(seed)
    decode = ("fly", "load")[seed % 3 == 0]
    assert_same(module, compressed(module, seed), decode, sanitized=True)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(100, 10_000),
    maps=st.booleans(),
    decode=st.sampled_from(("fly", "load")),
)
def test_the_engine(seed: int, maps: bool, decode: str) -> None:
    module = random_map_core(seed) if maps else random_core(seed)
    assert_same(module, compressed(module, seed), decode, sanitized=False)


def core_of_products(*weights: DecodeOp, vectors: int = 1) -> ModuleOp:
    """One vector, or several, times each of the weights."""
    columns = shape_of(weights[0].out)[1]
    block = Block(arg_types=[TensorType(unsigned(3), (vectors, columns))])
    products: list[MatMulOp] = []
    for decode in weights:
        codes, table = decode.codes.owner, decode.table.owner
        assert isinstance(codes, Operation)
        assert isinstance(table, Operation)
        out = TensorType(signed(40), (vectors, shape_of(decode.out)[0]))
        products.append(MatMulOp(block.args[0], decode, out))
        block.add_ops([codes, table, decode, products[-1]])
    block.add_op(ReturnOp(*products))
    type_ = FunctionType.from_lists(
        [block.args[0].type], [product.out.type for product in products]
    )
    module = ModuleOp([FuncOp("core", type_, Region(block))])
    module.verify()
    return module


def decoding(codes: Array, table: Array, code_bits: int, bits: int) -> DecodeOp:
    """Weights as codes with a table."""
    return DecodeOp(constant(codes, unsigned(code_bits)), constant(table, signed(bits)))


@pytest.mark.parametrize("decode", ["fly", "load"])
@pytest.mark.parametrize("vectors", [1, 3])
def test_equal_codes_of_different_tables(decode: str, vectors: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (5, 19))
    tables = [rng.choice(2000, 16, replace=False) - 1000 for _ in range(2)]
    module = core_of_products(
        *(decoding(codes, np.sort(table), 4, 12) for table in tables),
        vectors=vectors,
    )
    assert_same(module, module, decode, sanitized=True)


def test_equal_streams_that_leave_out_different_values() -> None:
    """-1, 1 and 1, 1: both are a gap of one and a 1."""
    both = [
        decoding(np.array([row]), np.array([-1, 1]), 1, 2) for row in ([0, 1], [1, 1])
    ]
    module = core_of_products(*both)
    coded = apply(module, CompressWeightsPass("relative-huffman", gap_bits=1))
    assert_same(module, coded, "fly", sanitized=True)


def test_codes_of_eight_bits_with_tables_of_64() -> None:
    """As posits are stored: 256 integers of more than 32 bits."""
    rng = np.random.default_rng(1)
    table = rng.integers(-(2**30), 2**30, 256)
    codes = rng.integers(0, 256, (4, 31))
    module = core_of_products(decoding(codes, table, 8, 34))
    assert_same(module, module, "fly", sanitized=True)
    assert "int64_t" in emit(module)["model.c"]


def test_words_of_many_values_are_coded_byte_by_byte() -> None:
    """Packed words of sparse ternary weights: no two are alike, their bytes are."""
    rng = np.random.default_rng(2)
    levels = rng.choice([-1, 0, 1], (64, 640), p=[0.05, 0.9, 0.05])
    decode = decoding(levels + 1, np.array([-1, 0, 1]), 2, 2)
    module = core_of_products(decode)
    packed = apply(module, BitpackPass(max_popcounts=1000))
    coded = apply(packed, CompressWeightsPass())
    assert_same(module, coded, "fly", sanitized=True)
    plain, smaller = (build_library(m).interface.flash_bytes for m in (packed, coded))
    assert smaller < 0.7 * plain


def test_the_memory_is_what_the_header_says() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 16, (50, 300))
    module = core_of_products(decoding(codes, np.arange(-8, 8) * 5, 4, 8))
    fly = build_library(module).interface
    load = build_library(module, COptions(decode="load")).interface
    # A row of weights in the memory of a call, or all of them in the library's.
    assert (fly.arena_bytes, fly.loaded_bytes) == (304, 0)
    assert (load.arena_bytes, load.loaded_bytes) == (0, 15_000)
    assert 7500 < fly.flash_bytes < 7600
    with pytest.raises(CError, match="decode must be fly or load, got never"):
        build_library(module, COptions(decode="never"))
