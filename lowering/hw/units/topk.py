"""Top-k unit: the indices of the greatest elements of each vector; argmax for k = 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import NamedTuple

from xdsl.dialects.hw import HWModuleOp
from xdsl.ir import Attribute

from lowering.hw.builder import ModuleBuilder, Signal, concat, mux, pack
from lowering.hw.memories import address_bits
from lowering.hw.stream import BuiltUnit, PipelineBuilder, StreamBuilder, counter
from lowering.hw.units.chain import chained
from lowering.hw.units.dwc import Dwc
from qdialect.types import is_signed, width_bits


@dataclass(frozen=True, eq=False)
class TopK:
    """Gives the indices of the k greatest elements, the greatest first, one a beat.

    Of equal elements the one with the lower index comes first. A beat is taken each
    cycle; a vector takes as many cycles as it has beats, or k if that is more.

    The unit is a chain of k *picks*. A pick keeps the best element that it has seen of
    a vector and hands on the others: it finds the best of a beat by a tree of
    comparators, compares it with the one it keeps, and puts the lesser of the two in
    the place of the beat's best. After the vector's last beat it keeps the result.

    Attributes:
        input_type: element type of the inputs.
        elements: elements of a vector.
        lanes: elements a beat, at most `elements`.
        index_bits: width of an index in the output.
        k: number of indices, at most `elements`.
        smallest: whether the least elements are meant instead.
    """

    input_type: Attribute
    elements: int
    lanes: int
    index_bits: int
    k: int = 1
    smallest: bool = False

    def __post_init__(self) -> None:
        for name, count in (("lanes", self.lanes), ("k", self.k)):
            if not 1 <= count <= self.elements:
                raise ValueError(
                    f"top-k unit of {self.elements} elements: {name} must be in "
                    f"[1, {self.elements}], got {count}"
                )

    @property
    def beats(self) -> int:
        """Beats of an input vector."""
        return -(-self.elements // self.lanes)

    @property
    def cycles_per_vector(self) -> int:
        """Cycles between two vectors when the unit is never starved or blocked."""
        return max(self.beats, self.k)

    @property
    def _pick_cycles(self) -> int:
        """Stages of a pick: the levels of its tree, then the comparison."""
        return (self.lanes - 1).bit_length() + 1

    @property
    def latency_cycles(self) -> int:
        """Cycles from taking a vector's first beat to giving the first index."""
        return self.beats + self.k * self._pick_cycles - 1 + (self.k > 1)

    @property
    def _surplus(self) -> int:
        return self.beats * self.lanes - self.elements

    @property
    def _word(self) -> _Word:
        return _Word(
            has_valid=self.k > 1 or self._surplus > 0,
            key_bits=width_bits(self.input_type),
            beat_bits=(self.beats - 1).bit_length(),
            # A lone element has a place, too.
            lane_bits=address_bits(self.lanes)
            if self.lanes > 1 or self.beats == 1
            else 0,
        )

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`; the names of all its parts start with it."""
        if self.k == 1:
            return self._build_picks(name)
        picks = self._build_picks(f"{name}_picks")
        serial = Dwc(self.index_bits, self.k, self.k, 1).build(f"{name}_serial")
        in_bits = self.lanes * width_bits(self.input_type)
        m = StreamBuilder(name, in_bits, f"Top-{self.k} unit, an index a beat.")
        return chained(m, ("picks", picks), ("serial", serial))

    def _build_picks(self, name: str) -> BuiltUnit:
        m = PipelineBuilder(
            name,
            self.lanes * width_bits(self.input_type),
            f"Finds the best {self.k} of {self.elements} elements, "
            f"{self.lanes} a cycle.",
        )
        word, cycles = self._word, self._pick_cycles
        step = m.advance & m.in_valid
        beat = counter(m, "beat", self.beats, step)
        candidates = self._candidates(m, beat.value, beat.last)
        valid, last = m.in_valid, beat.last
        found: list[Signal] = []
        modules: list[HWModuleOp] = []
        for number in range(self.k):
            pick = _Pick(word, self.lanes, number > 0, number < self.k - 1)
            modules.append(pick.build(f"{name}_pick{number}"))
            for i in range(cycles - 1):
                valid = m.flag_stage(valid, f"valid{number}_{i}")
                last = m.stage(last, f"last{number}_{i}")
            take = (m.advance & valid).named(f"take{number}")
            begins = m.registered(
                last, f"begins{number}", enable=take, reset=(m.rst, 1)
            )
            outputs = m.instance(
                f"pick{number}",
                modules[-1],
                {
                    "advance": m.advance,
                    "take": take,
                    "begins": begins,
                    "candidates": candidates,
                },
            )
            for _ in range(cycles):
                found = [m.stage(f, f"found{j}") for j, f in enumerate(found)]
            found.append(word.place(outputs["best"]))
            if number < self.k - 1:
                candidates = outputs["others"]
                valid = m.flag_stage(valid, f"valid{number}")
                last = m.stage(last, f"last{number}")
        indices = [self._index(place) for place in found]
        module = m.finish_pipeline(m.advance, pack(indices), valid & last)
        return BuiltUnit([*modules, module], m.images)

    def _candidates(self, m: PipelineBuilder, beat: Signal, last: Signal) -> Signal:
        """The elements of a beat as words."""
        word = self._word
        words: list[Signal] = []
        for lane, value in enumerate(m.in_data.lanes(word.key_bits)):
            key = value
            if is_signed(self.input_type):
                key = key ^ m.constant(1 << (word.key_bits - 1), word.key_bits)
            if self.smallest:
                key = ~key
            parts = [key]
            if word.has_valid:
                padding = lane >= self.lanes - self._surplus
                parts.insert(0, ~last if padding else m.constant(1, 1))
            # Complemented, so that of equal keys the lower place is the greater word.
            if word.beat_bits:
                parts.append(~beat)
            if word.lane_bits:
                parts.append(m.constant(~lane, word.lane_bits))
            words.append(concat(*parts))
        return pack(words)

    def _index(self, place: Signal) -> Signal:
        """The index of the element that came at a place, beat * lanes + lane."""
        m = place.builder
        bits = self.index_bits
        place = ~place
        lane_bits = self._word.lane_bits
        terms = [m.constant(0, bits)]
        if lane_bits:
            terms = [place.bits(0, lane_bits).resize(bits, signed=False)]
        if self._word.beat_bits:
            beat = place.bits(lane_bits, self._word.beat_bits)
            for shift in range(self.lanes.bit_length()):
                if self.lanes >> shift & 1:
                    moved = concat(beat, m.constant(0, shift)) if shift else beat
                    terms.append(moved.resize(bits, signed=False))
        return reduce(add, terms)


class _Word(NamedTuple):
    """An element with its place: valid, key, beat, lane, from the top bit down.

    A greater word is a better element; the key is the element as an unsigned number,
    the place is complemented, and a word of zeros stands for no element.
    """

    has_valid: bool
    key_bits: int
    beat_bits: int
    lane_bits: int

    @property
    def place_bits(self) -> int:
        return self.beat_bits + self.lane_bits

    @property
    def width_bits(self) -> int:
        return self.has_valid + self.key_bits + self.place_bits

    def place(self, word: Signal) -> Signal:
        return word.bits(0, self.place_bits)


@dataclass(frozen=True)
class _Pick:
    """One pick; see `TopK`.

    Attributes:
        word: layout of a candidate.
        lanes: candidates a beat.
        compares_places: whether candidates of a beat may stand out of order, so that
            places decide between equal keys.
        hands_on: whether there is a pick behind it.
    """

    word: _Word
    lanes: int
    compares_places: bool
    hands_on: bool

    def _exceeds(self, right: Signal, left: Signal) -> Signal:
        """Whether `right` is better than `left`, which comes first."""
        low = 0 if self.compares_places else self.word.place_bits
        width = self.word.width_bits - low
        return right.bits(low, width).compare("ugt", left.bits(low, width))

    def build(self, name: str) -> HWModuleOp:
        """The module.

        `candidates` are enabled by `advance`; a stage for each level of the tree later
        `take` says that they are a beat and `begins` that it is a vector's first.
        """
        m = ModuleBuilder(name, "Keeps the best element of a vector.")
        advance = m.input("advance", 1)
        take = m.input("take", 1)
        begins = m.input("begins", 1)
        words = m.input("candidates", self.lanes * self.word.width_bits)
        candidates = words.lanes(self.word.width_bits)
        row = [
            (c, m.constant(lane, max(1, (self.lanes - 1).bit_length())))
            for lane, c in enumerate(candidates)
        ]
        level = 0
        while len(row) > 1:
            row = self._level(m, row, advance, level)
            if self.hands_on:
                candidates = [
                    m.registered(c, f"candidate{level}_{i}", enable=advance)
                    for i, c in enumerate(candidates)
                ]
            level += 1
        winner, lane = row[0]
        best = m.register("best", self.word.width_bits, enable=take)
        wins = (begins | self._exceeds(winner, best)).named("wins")
        best.set_next(mux(wins, winner, best))
        m.output("best", best)
        if self.hands_on:
            none = m.constant(0, self.word.width_bits)
            loser = mux(wins, mux(begins, none, best), winner).named("loser")
            others = [
                mux(lane.equals(i), loser, c) if self.lanes > 1 else loser
                for i, c in enumerate(candidates)
            ]
            m.output("others", m.registered(pack(others), "others", enable=advance))
        return m.finish()

    def _level(
        self,
        m: ModuleBuilder,
        row: Sequence[tuple[Signal, Signal]],
        advance: Signal,
        level: int,
    ) -> list[tuple[Signal, Signal]]:
        """The better of each pair, a stage later."""
        following: list[tuple[Signal, Signal]] = []
        for i in range(0, len(row), 2):
            word, lane = row[i]
            if i + 1 < len(row):
                right, right_lane = row[i + 1]
                exceeds = self._exceeds(right, word)
                word = mux(exceeds, right, word)
                lane = mux(exceeds, right_lane, lane)
            word = m.registered(word, f"winner{level}_{i // 2}", enable=advance)
            if self.hands_on:
                lane = m.registered(lane, f"lane{level}_{i // 2}", enable=advance)
            following.append((word, lane))
        return following
