"""In which beat and lane each channel of a pixel leaves a unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChannelOrder:
    """The channels of a pixel as beats of a few lanes.

    A pixel is one vector of C channels or, with groups, G vectors of C / G channels,
    each of which begins a beat.

    Attributes:
        channels: C, those of all groups.
        lanes: channels a beat, at most C / G.
        groups: G, vectors a pixel.
    """

    channels: int
    lanes: int
    groups: int = 1

    @property
    def vector_channels(self) -> int:
        """Channels of a vector."""
        return self.channels // self.groups

    @property
    def vector_beats(self) -> int:
        """Beats of a vector."""
        return -(-self.vector_channels // self.lanes)

    @property
    def beats(self) -> int:
        """Beats of a pixel."""
        return self.groups * self.vector_beats

    def channel(self, beat: int, lane: int) -> int:
        """The channel of a lane; a surplus lane repeats the one that it had before.

        That may spare bits of the memories that are addressed by beat.
        """
        vector, place = divmod(beat, self.vector_beats)
        channel = place * self.lanes + lane
        if channel >= self.vector_channels:
            channel -= self.lanes
        return vector * self.vector_channels + channel
