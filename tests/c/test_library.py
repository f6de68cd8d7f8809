"""The text of the library: its contract, its names, and what is refused."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_programs import (
    SANITIZED,
    c_compiler,
    compile_program,
    run_program,
    write_library,
)
from integer_cores import CoreBuilder, core_of, random_core, random_frames
from pass_agreement import apply
from random_networks import random_mlp
from xdsl.dialects import test as test_dialect
from xdsl.dialects.builtin import (
    ModuleOp,
    NameLoc,
    StringAttr,
    TensorType,
    UnknownLoc,
)
from xdsl.dialects.func import FuncOp

from lowering.c.errors import CError
from lowering.c.self_test import Frames
from lowering.c.source import COptions, build_library, emit
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from qdialect.calls import CallOp
from qdialect.constants import LoadOp, WeightOp
from qdialect.linear import MatMulOp
from qdialect.types import (
    BipolarType,
    TernaryType,
    signed,
    unsigned,
)


def small_core() -> ModuleOp:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 70)
    y = builder.threshold(builder.linear(x, 66, BipolarType()), BipolarType())
    return apply(
        builder.module(builder.linear(y, 10, TernaryType())),
        BitpackPass(max_popcounts=8),
    )


def macros(header: str) -> dict[str, str]:
    return dict(re.findall(r"^#define (\w+) (.+)$", header, re.MULTILINE))


def test_the_header_says_what_a_caller_needs() -> None:
    files = emit(small_core())
    found = macros(files["model.h"])
    assert found["MODEL_IN_LEN"] == "70"
    assert found["MODEL_IN_TYPE"] == "int8_t"
    assert found["MODEL_OUT_LEN"] == "10"
    assert found["MODEL_INPUTS"] == found["MODEL_OUTPUTS"] == "1"
    assert re.fullmatch('"[0-9a-f]{16}"', found["MODEL_HASH"])
    assert re.fullmatch('"[0-9.]+.*"|"unknown"', found["MODEL_VERSION"])
    assert "void model_run(const int8_t *in, int8_t *out);" in files["model.h"]
    assert (
        "void model_run_in(void *arena, const int8_t *in, int8_t *out);"
        in (files["model.h"])
    )
    assert set(files) == {"model.h", "model.c"}


def test_sizes_are_those_of_the_text() -> None:
    module = small_core()
    library = build_library(module)
    # Words of 64 bits: 70 inputs take 2, so do 66 outputs of the first layer.
    assert library.interface.arena_bytes == (2 + 2) * 8
    arrays = re.findall(
        r"MODEL_CONST u?int(\d+)_t \w+\[(\d+)\]", library.files["model.c"]
    )
    sizes = sum(int(bits) // 8 * int(count) for bits, count in arrays)
    assert library.interface.flash_bytes == sizes
    assert macros(library.files["model.h"])["MODEL_CONST_BYTES"] == str(sizes)


@pytest.mark.parametrize(
    ("element", "ctype"),
    [
        (BipolarType(), "int8_t"),
        (TernaryType(), "int8_t"),
        (signed(8), "int8_t"),
        (unsigned(1), "uint8_t"),
        (unsigned(8), "uint8_t"),
        (signed(9), "int16_t"),
        (unsigned(16), "uint16_t"),
        (signed(17), "int32_t"),
        (unsigned(32), "uint32_t"),
        (signed(33), "int64_t"),
        (unsigned(63), "uint64_t"),
    ],
    ids=str,
)
def test_natural_types(element: object, ctype: str) -> None:
    builder = CoreBuilder()
    x = builder.argument(element, 1, 3)  # pyright: ignore[reportArgumentType]
    header = emit(builder.module(x))["model.h"]
    assert f"void model_run(const {ctype} *in, {ctype} *out);" in header


def test_several_inputs_and_outputs_are_numbered() -> None:
    builder = CoreBuilder()
    x, y = builder.argument(signed(8), 1, 3), builder.argument(unsigned(9), 1, 4)
    header = emit(builder.module(y, x), COptions("a_net"))["a_net.h"]
    assert (
        "void a_net_run(const int8_t *in0, const uint16_t *in1, uint16_t *out0, "
        "int8_t *out1);"
    ) in header
    assert macros(header)["A_NET_OUT0_LEN"] == "4"


def test_the_library_is_freestanding() -> None:
    for seed in range(6):
        files = emit(apply(random_core(seed), BitpackPass(max_popcounts=8)))
        text = files["model.c"]
        assert re.findall(r"#include (.+)", text + files["model.h"]) == [
            '"model.h"',
            "<stdint.h>",
        ]
        assert not re.search(r"\b(malloc|float|double|printf|goto)\b", text)


def test_it_links_without_a_library(tmp_path: Path) -> None:
    """No function of the compiler's or of C's library is called, also in popcounts."""
    library = write_library(small_core(), tmp_path)
    assert "__builtin_popcount" in library.files["model.c"]
    command = [c_compiler(), "-std=c99", "-O0", "-c", "model.c", "-o", "model.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    symbols = subprocess.run(
        ["nm", "-u", "model.o"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert set(re.findall(r"U (\w+)", symbols)) <= {"memset", "memcpy"}


def test_only_four_names_are_visible(tmp_path: Path) -> None:
    write_library(small_core(), tmp_path)
    command = [c_compiler(), "-std=c99", "-c", "model.c", "-o", "model.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    symbols = subprocess.run(
        ["nm", "-g", "model.o"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert set(re.findall(r"[A-Z] (\w+)$", symbols, re.MULTILINE)) == {
        "model_run",
        "model_run_in",
    }


def test_constants_can_be_placed(tmp_path: Path) -> None:
    write_library(small_core(), tmp_path)
    section = '-DMODEL_CONST=__attribute__((section(".weights")))'
    command = [c_compiler(), "-std=c99", section, "-c", "model.c", "-o", "model.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    sections = subprocess.run(
        ["nm", "-f", "sysv", "model.o"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert re.search(r"model_c0\b.*\.weights", sections)


def test_the_same_module_gives_the_same_text_and_hash() -> None:
    first, second = emit(small_core()), emit(small_core())
    assert first == second
    other = emit(apply(random_core(3), BitpackPass(max_popcounts=8)))
    hashes = {macros(files["model.h"])["MODEL_HASH"] for files in (first, other)}
    assert len(hashes) == 2


def test_two_networks_in_one_program(tmp_path: Path) -> None:
    for prefix in ("one", "two"):
        for name, text in emit(small_core(), COptions(prefix)).items():
            (tmp_path / name).write_text(text)
    (tmp_path / "main.c").write_text(
        '#include "one.h"\n#include "two.h"\n'
        "static int8_t in[ONE_IN_LEN], out[TWO_OUT_LEN];\n"
        "int main(void) { one_run(in, out); two_run(in, out); return 0; }\n"
    )
    compile_program(tmp_path)


def test_the_header_is_also_cxx(tmp_path: Path) -> None:
    (tmp_path / "model.h").write_text(emit(small_core())["model.h"])
    (tmp_path / "a.cpp").write_text(
        '#include "model.h"\n#include "model.h"\n'
        "void f(const int8_t *x, int8_t *y) { model_run(x, y); }\n"
    )
    command = [c_compiler(), "-x", "c++", "-Wall", "-Werror", "-fsyntax-only", "a.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if "cc1plus" in done.stderr:
        pytest.skip("the compiler knows no C++")
    assert done.returncode == 0, done.stderr


def test_memory_of_the_callers_is_enough(tmp_path: Path) -> None:
    """An arena of exactly the promised size, checked by the sanitizer."""
    library = write_library(random_core(4), tmp_path)
    (tmp_path / "model_main.c").unlink()
    ports = (*library.interface.inputs, *library.interface.outputs)
    arrays = [f"static {p.ctype.name} {p.name}[{p.count}];" for p in ports]
    # Levels that are 0 are none of a bipolar argument's, but of its memory.
    (tmp_path / "main.c").write_text(
        '#include <stdlib.h>\n#include "model.h"\n'
        + "\n".join(arrays)
        + "\nint main(void)\n{\n  void *arena = malloc(MODEL_ARENA_BYTES);\n"
        + f"  model_run_in(arena, {library.interface.arguments()});\n"
        + "  free(arena);\n  return 0;\n}\n"
    )
    program = compile_program(tmp_path, SANITIZED)
    subprocess.run([str(program)], check=True)


def test_dead_values_give_their_memory_back() -> None:
    builder = CoreBuilder()
    value = builder.argument(signed(8), 1, 100)
    for _ in range(10):
        value = builder.threshold(builder.linear(value, 100, signed(2)), signed(8))
    interface = build_library(builder.module(value)).interface
    assert interface.arena_bytes == 200  # two vectors of 100 bytes


def test_the_self_test_finds_a_wrong_weight(tmp_path: Path) -> None:
    module = small_core()
    inputs = random_frames(module, 5)
    outputs = Interpreter(module).run(inputs, "core")
    library = write_library(module, tmp_path, frames=Frames(inputs, outputs))
    program = compile_program(tmp_path, ("-DMODEL_SELFTEST",))
    found = run_program(program, library, inputs)
    np.testing.assert_array_equal(found[0], outputs[0])
    source = tmp_path / "model.c"
    text = source.read_text()
    first = re.search(r"0x[0-9a-f]{16}", text)
    assert first is not None
    changed = f"0x{int(first[0], 16) ^ ((1 << 64) - 1):016x}"
    source.write_text(text.replace(first[0], changed, 1))
    program = compile_program(tmp_path, ("-DMODEL_SELFTEST",))
    done = subprocess.run([str(program)], input=b"", capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"the self-test fails\n")


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (Frames([], []), "needs 1 inputs and 1 outputs, got 0 and 0"),
        (
            Frames([np.ones((2, 69))], [np.ones((2, 10))]),
            r"needs 2 x 70 elements of in, got an array of shape \[2, 69\]",
        ),
        (
            Frames([np.full((2, 70), 3)], [np.ones((2, 10))]),
            r"elements of in for the self-test must be in \[-1, 1\], got \[3, 3\]",
        ),
    ],
)
def test_frames_that_do_not_fit(frames: Frames, message: str) -> None:
    with pytest.raises(CError, match=message):
        emit(small_core(), COptions(frames=frames))


def test_the_program_reports_what_it_cannot_read(tmp_path: Path) -> None:
    write_library(small_core(), tmp_path)
    program = str(compile_program(tmp_path))
    for arguments, data, message in (
        (["nowhere"], b"", b"nowhere: cannot be read\n"),
        ([], b"\1" * 71, b"the last frame is not whole\n"),
    ):
        done = subprocess.run(
            [program, *arguments], input=data, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, message)
    frames = tmp_path / "frames"
    frames.write_bytes(b"\1" * 140)
    done = subprocess.run([program, str(frames)], capture_output=True, check=True)
    assert len(done.stdout) == 20


@pytest.mark.parametrize("prefix", ["", "1a", "_x", "a-b", "é", "a b", "a\n"])
def test_a_prefix_that_is_no_name(prefix: str) -> None:
    with pytest.raises(CError, match="prefix must be a letter, then letters, digits"):
        emit(small_core(), COptions(prefix))


def test_names_of_nodes_cannot_leave_their_comment(tmp_path: Path) -> None:
    module = small_core()
    for op in core_of(module).body.block.ops:
        op.location = NameLoc(StringAttr('*/ #error "x" /* ??/\n\\'), UnknownLoc())
    write_library(module, tmp_path)
    compile_program(tmp_path)


def test_an_operation_without_a_c_form_is_named() -> None:
    module = small_core()
    op = test_dialect.TestOp(result_types=[TensorType(signed(4), (1, 2))])
    op.location = NameLoc(StringAttr("Odd_3"), UnknownLoc())
    core_of(module).body.block.insert_op_before(op, core_of(module).body.block.first_op)  # pyright: ignore[reportArgumentType]
    with pytest.raises(CError, match=r"test.op \(node 'Odd_3'\): has no C form; expec"):
        emit(module)


def test_real_numbers_are_refused() -> None:
    with pytest.raises(CError, match="elements are f32, expected integer levels; run"):
        emit(random_mlp(0))


def test_what_64_bits_do_not_hold_is_refused() -> None:
    builder = CoreBuilder()
    x = builder.argument(unsigned(64), 1, 3)
    with pytest.raises(
        CError, match="elements are ui64, expected at most si64 or ui63"
    ):
        emit(builder.module(x))
    builder = CoreBuilder()
    x = builder.argument(signed(62), 1, 3)
    weights = builder.constant(np.full((2, 3), 3), signed(4))
    out = TensorType(signed(64), (1, 2))
    sums = builder.add(MatMulOp(x, weights, out))
    with pytest.raises(CError, match=r"sums up to \d+ need more than 64 bits"):
        emit(builder.module(sums))


def test_the_function_is_what_the_call_names() -> None:
    module = apply(random_mlp(0))
    with pytest.raises(CError):
        emit(module)
    module = small_core()
    for op in module.body.block.ops:
        if isinstance(op, FuncOp):
            op.sym_name = StringAttr("other")
    assert "model_run" in emit(module)["model.h"]
    with pytest.raises(CError, match=r"expected a function @core .* got no function"):
        emit(ModuleOp([]))


def test_a_call_of_what_is_no_function_is_refused() -> None:
    builder = CoreBuilder()
    x = builder.argument(BipolarType(), 1, 70)
    call = CallOp("missing", [x], [TensorType(signed(7), (1, 10))])
    module = builder.module(x)
    core_of(module).body.block.insert_op_before(call, core_of(module).get_return_op())  # pyright: ignore[reportArgumentType]
    with pytest.raises(CError, match=r"qnn.call: @missing must be a func.func"):
        emit(module)


def test_a_constant_that_is_missing_or_of_another_form_is_refused() -> None:
    module = small_core()
    (first, *_) = [op for op in module.walk() if isinstance(op, WeightOp)]
    first.sym_name = StringAttr("elsewhere")
    with pytest.raises(
        CError, match=r"qnn\.load: the module has no qnn.weight @w0_packed"
    ):
        emit(module)
    module = small_core()
    loads = [op for op in module.walk() if isinstance(op, LoadOp)]
    loads[0].weight = loads[1].weight
    with pytest.raises(CError, match=r"the constant is tensor<.*>, expected the words"):
        emit(module)
