"""The Verilator test bench of a top module, as readable C++.

The bench offers the beats of files and takes beats into files, each side with a chance
to pause in every cycle. It checks that an offered beat stays as it is until it is taken
and that `tlast` marks the last beat of every frame, and it notes when frames came and
went. It gives up when no beat has moved for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lowering.banner import banner
from lowering.text import Text

# Exit status of the bench.
HANG, BREACH = 3, 4


@dataclass(frozen=True)
class Port:
    """An AXI4-Stream port of the top module.

    Attributes:
        name: what its signals begin with, `s_axis`.
        tdata_bits: width of `tdata`, a multiple of 8.
        beats_per_frame: beats between two `tlast`.
    """

    name: str
    tdata_bits: int
    beats_per_frame: int


_SUPPORT = r"""
typedef std::vector<uint8_t> Bytes;

static uint64_t cycle = 0;

/* xorshift64*: the same pauses for the same seed, on every machine. */
struct Random {
    uint64_t state;
    bool chance(unsigned percent) {
        state ^= state >> 12; state ^= state << 25; state ^= state >> 27;
        return (state * 0x2545F4914F6CDD1DULL >> 33) % 100 < percent;
    }
};

/* tdata of up to 64 bits is an integer, a wider one an array of 32-bit words. */
template <class T> static void put(T& port, const uint8_t* bytes, size_t size) {
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) word |= uint64_t(bytes[i]) << 8 * i;
    port = T(word);
}
template <size_t N> static void put(VlWide<N>& port, const uint8_t* bytes, size_t size) {
    for (size_t i = 0; i < N; i++) port[i] = 0;
    for (size_t i = 0; i < size; i++) port[i / 4] |= EData(bytes[i]) << 8 * (i % 4);
}
template <class T> static void get(const T& port, uint8_t* bytes, size_t size) {
    for (size_t i = 0; i < size; i++) bytes[i] = uint8_t(uint64_t(port) >> 8 * i);
}
template <size_t N> static void get(const VlWide<N>& port, uint8_t* bytes, size_t size) {
    for (size_t i = 0; i < size; i++) bytes[i] = uint8_t(port[i / 4] >> 8 * (i % 4));
}

/* The cycles in which the first and the last beat of each frame moved. */
struct Times {
    size_t beats_per_frame;
    std::vector<uint64_t> first, last;
    size_t beats = 0;
    void moved() {
        if (beats % beats_per_frame == 0) first.push_back(cycle);
        if (++beats % beats_per_frame == 0) last.push_back(cycle);
    }
};

struct Source {
    const char* name; size_t size; Times times; Random random; unsigned pause;
    Bytes data;
    bool offering = false;
    size_t left() const { return data.size() / size - times.beats; }
    /* An offered beat is never withdrawn. */
    void choose() { if (!offering) offering = left() && !random.chance(pause); }
    const uint8_t* beat() const { return data.data() + times.beats * size; }
    bool last() const { return (times.beats + 1) % times.beats_per_frame == 0; }
    void taken() { offering = false; times.moved(); }
};

struct Sink {
    const char* name; size_t size; Times times; Random random; unsigned pause;
    size_t wanted;
    Bytes data, beat, held;
    bool ready = false, waiting = false, waiting_last = false;
    size_t left() const { return wanted - times.beats; }
    void choose() { ready = !random.chance(pause); }
    void check(bool valid, bool last) {
        bool due = (times.beats + 1) % times.beats_per_frame == 0;
        if (waiting && (!valid || beat != held || last != waiting_last))
            breach("an offered beat changed before it was taken");
        if (valid && last != due)
            breach(due ? "tlast is missing at the end of a frame" : "tlast within a frame");
        if (valid && !left()) breach("a beat that no input accounts for");
        waiting = valid && !ready; waiting_last = last; held = beat;
    }
    void take() { data.insert(data.end(), beat.begin(), beat.end()); times.moved(); }
    void breach(const char* what) {
        std::fprintf(stderr, "%s: %s, in cycle %llu\n", name, what,
                     (unsigned long long)cycle);
        std::exit(BREACH);
    }
};

static Bytes read_file(const std::string& path) {
    FILE* file = std::fopen(path.c_str(), "rb");
    if (!file) { std::perror(path.c_str()); std::exit(2); }
    Bytes bytes; int c;
    while ((c = std::fgetc(file)) != EOF) bytes.push_back(uint8_t(c));
    std::fclose(file);
    return bytes;
}

static void write_file(const std::string& path, const Bytes& bytes) {
    FILE* file = std::fopen(path.c_str(), "wb");
    if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()
        || std::fclose(file)) { std::perror(path.c_str()); std::exit(2); }
}

static void print_times(const char* name, const Times& times) {
    std::printf("%s", name);
    for (size_t i = 0; i < times.last.size(); i++)
        std::printf(" %llu:%llu", (unsigned long long)times.first[i],
                    (unsigned long long)times.last[i]);
    std::printf("\n");
}
"""


def emit_bench(top: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """C++ of the test bench of module `top`.

    Its command line is FRAMES PAUSE_IN PAUSE_OUT SEED QUIET FOLDER: the number of
    frames, the chances of a pause in percent, the seed of the pauses, the cycles without
    any beat after which it gives up, and where `NAME.in` are read and `NAME.out`
    written: beats of whole bytes, the least significant first.
    """
    text = Text()
    text(f"/* {banner()}")
    text(f"   Test bench of {top}: FRAMES PAUSE_IN PAUSE_OUT SEED QUIET FOLDER */")
    for header in ("cstdint", "cstdio", "cstdlib", "string", "vector"):
        text(f"#include <{header}>")
    text('#include "verilated.h"')
    text(f'#include "V{top}.h"')
    text()
    text(f"enum {{ HANG = {HANG}, BREACH = {BREACH} }};")
    for line in _SUPPORT.strip("\n").splitlines():
        text(line)
    text()
    with text.block("int main(int argc, char** argv) {", "}"):
        _write_main(text, top, inputs, outputs)
    return str(text)


def _write_main(
    text: Text, top: str, inputs: Sequence[Port], outputs: Sequence[Port]
) -> None:
    with text.block("if (argc != 7) {", "}"):
        text(
            'std::fprintf(stderr, "usage: %s FRAMES PAUSE_IN PAUSE_OUT SEED QUIET '
            'FOLDER\\n", argv[0]);'
        )
        text("return 2;")
    text("const size_t frames = std::strtoull(argv[1], 0, 10);")
    text(
        "const unsigned pause_in = std::atoi(argv[2]), pause_out = std::atoi(argv[3]);"
    )
    text("const uint64_t seed = std::strtoull(argv[4], 0, 10) * 2 + 1;")
    text("const uint64_t quiet_limit = std::strtoull(argv[5], 0, 10);")
    text('const std::string folder = std::string(argv[6]) + "/";')
    for i, port in enumerate(inputs):
        text(
            f'Source {port.name}{{"{port.name}", {port.tdata_bits // 8}, '
            f"{{{port.beats_per_frame}}}, {{seed + {2 * i}}}, pause_in}};"
        )
        text(f'{port.name}.data = read_file(folder + "{port.name}.in");')
    for i, port in enumerate(outputs):
        text(
            f'Sink {port.name}{{"{port.name}", {port.tdata_bits // 8}, '
            f"{{{port.beats_per_frame}}}, {{seed + {2 * (len(inputs) + i)}}}, "
            f"pause_out, frames * {port.beats_per_frame}}};"
        )
        text(f"{port.name}.beat.resize({port.name}.size);")
    text(f"V{top} top;")
    for port in inputs:
        text(f"top.{port.name}_tvalid = 0;")
    for port in outputs:
        text(f"top.{port.name}_tready = 0;")
    with text.block("for (int i = 0; i < 8; i++) {", "}"):
        text("top.aresetn = 0; top.aclk = 0; top.eval(); top.aclk = 1; top.eval();")
    text("top.aresetn = 1;")
    left = " + ".join(f"{port.name}.left()" for port in outputs)
    text("uint64_t quiet = 0;")
    with text.block(f"for (; {left}; cycle++) {{", "}"):
        _write_cycle(text, inputs, outputs)
    for port in (*inputs, *outputs):
        text(f'print_times("{port.name}", {port.name}.times);')
    for port in outputs:
        text(f'write_file(folder + "{port.name}.out", {port.name}.data);')
    text("top.final();")
    text("return 0;")


def _write_cycle(text: Text, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
    for port in inputs:
        n = port.name
        text(f"{n}.choose();")
        text(f"top.{n}_tvalid = {n}.offering;")
        with text.block(f"if ({n}.offering) {{", "}"):
            text(f"put(top.{n}_tdata, {n}.beat(), {n}.size);")
            text(f"top.{n}_tlast = {n}.last();")
    for port in outputs:
        text(f"{port.name}.choose();")
        text(f"top.{port.name}_tready = {port.name}.ready;")
    text("top.aclk = 0;")
    text("top.eval();")
    text("bool moved = false;")
    for port in outputs:
        n = port.name
        text(f"get(top.{n}_tdata, {n}.beat.data(), {n}.size);")
        text(f"{n}.check(top.{n}_tvalid, top.{n}_tlast);")
        with text.block(f"if (top.{n}_tvalid && {n}.ready) {{", "}"):
            text(f"{n}.take();")
            text("moved = true;")
    for port in inputs:
        n = port.name
        with text.block(f"if ({n}.offering && top.{n}_tready) {{", "}"):
            text(f"{n}.taken();")
            text("moved = true;")
    text("top.aclk = 1;")
    text("top.eval();")
    text("quiet = moved ? 0 : quiet + 1;")
    with text.block("if (quiet > quiet_limit) {", "}"):
        text(
            'std::fprintf(stderr, "no beat moved for %llu cycles", '
            "(unsigned long long)quiet_limit);"
        )
        for port in inputs:
            text(
                f'std::fprintf(stderr, "; {port.name} took %zu beats, %zu are left", '
                f"{port.name}.times.beats, {port.name}.left());"
            )
        for port in outputs:
            text(
                f'std::fprintf(stderr, "; {port.name} gave %zu beats, %zu are missing", '
                f"{port.name}.times.beats, {port.name}.left());"
            )
        text('std::fprintf(stderr, "\\n");')
        text("return HANG;")
