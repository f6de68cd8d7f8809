"""A memory of two pixels in front of products that read some of their beats only."""

from __future__ import annotations

from dataclasses import dataclass

from lowering.hw.builder import Signal, concat
from lowering.hw.memories import Ram, address_bits, rom
from lowering.hw.stream import BuiltUnit, Counter, StreamBuilder, counter
from lowering.hw.units.input_slices import InputSlices
from qdialect.zero_blocks import SkipSchedule


@dataclass(frozen=True, eq=False)
class VectorBuffer:
    """Takes all beats of a pixel and gives slices made of some of them, in any order.

    It follows `pipelines.Store`: a pixel is written while the one before it is read. Lanes
    that come together have a memory of their own. The bit above a slice tells that it is
    the last of its row; it is left out where that is true of all.

    Attributes:
        slices: from the beats of a vector.
        groups: vectors of a pixel.
        schedule: what the slices are made of.
    """

    slices: InputSlices
    groups: int
    schedule: SkipSchedule

    @property
    def marks_last(self) -> bool:
        """Whether there are rows of several slices."""
        return max(self.schedule.steps) > 1

    @property
    def _apart(self) -> int:
        """Words from one vector of a pixel to the next."""
        return 1 << address_bits(self.slices.count) if self.slices.count > 1 else 1

    @property
    def _pixel_words(self) -> int:
        """Words of a pixel, those between two vectors included."""
        return (self.groups - 1) * self._apart + self.slices.count

    @property
    def _place_bits(self) -> int:
        return address_bits(self._pixel_words) if self._pixel_words > 1 else 0

    def _reads(self) -> list[int]:
        """For each slice, whether it is its row's last, and above that its places."""
        share = len(self.schedule.beats) // self.groups
        found: list[int] = []
        for beat, reads in enumerate(self.schedule.beats):
            # Lanes for which nothing is left read the last slice: its surplus is blank.
            within = reads.clip(max=self.slices.count - 1)
            rows: list[list[int]] = (within + beat // share * self._apart).tolist()
            for number, places in enumerate(rows):
                word = int(number == len(rows) - 1)
                for i, place in enumerate(places):
                    word |= place << (1 + i * self._place_bits)
                found.append(word)
        return found

    def build(self, name: str) -> BuiltUnit:
        """The unit as module `name`."""
        fold, reads = self.slices.count, self._reads()
        m = StreamBuilder(
            name,
            self.slices.simd * self.slices.dot.input_bits,
            f"Room for two pixels of {self.groups * fold} beats; "
            f"of each {len(reads)} slices are read.",
        )
        write, read = m.wire("write", 1), m.wire("read", 1)
        beat = counter(m, "write_beat", fold, write)
        vector_done = write & beat.last
        vector = counter(m, "write_vector", self.groups, vector_done)
        written = counter(m, "written", 4, vector_done & vector.last).value
        step = counter(m, "step", len(reads), read)
        done = counter(m, "done", 4, read & step.last).value
        # The low bit of either is a half of the memory. Both are the same where all is
        # read, and differ in the high bit alone where both halves are full.
        ahead = (written ^ done).named("ahead")
        in_ready = ~ahead.equals(2)
        write.drive(m.in_valid & in_ready)
        out_valid = m.register("out_valid", 1, reset=(m.rst, 0))
        available, free = ahead.compare("ne", 0), ~out_valid | m.out_ready
        read.drive(available & free)
        out_valid.set_next(available | ~free)
        next_read = self._next_read(m, reads, step, read)
        within = [c.value for c in (vector, beat) if c.value.constant_value is None]
        place = concat(written.bit(0), *within)
        words: list[Signal] = []
        slice_ = self.slices.of(m, beat.last)
        depth = self._pixel_words + (1 << self._place_bits)
        for i, share in enumerate(self.slices.shares(slice_, self.schedule.together)):
            memory = Ram.create(m, "memory", depth, share.width)
            memory.write(write, place, share)
            half, bits = done.bit(0), self._place_bits
            own = [next_read.bits(1 + i * bits, bits)] if bits else []
            words.append(memory.read(concat(half, *own)))
        data = self.slices.whole(words)
        if self.marks_last:
            data = concat(next_read.bit(0), data)
        out_data = m.registered(data, "out_data", enable=read)
        return BuiltUnit([m.finish_stream(in_ready, out_data, out_valid)], m.images)

    def _next_read(
        self, m: StreamBuilder, reads: list[int], step: Counter, read: Signal
    ) -> Signal:
        """What is read next.

        What the memory of all reads gives is for the one after, so that only a register
        stands before the addresses.
        """
        shares = self.schedule.beats[0].shape[1]
        width = 1 + shares * self._place_bits
        if all(word == reads[0] for word in reads):
            return m.constant(reads[0], width)
        register = m.register("next_read", width, enable=read, reset=(m.rst, reads[0]))
        rotated = [*reads[1:], reads[0]]
        register.set_next(rom(m, "reads_rom", rotated, width, step.value))
        return register
