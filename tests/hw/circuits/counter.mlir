// Counts the cycles in which `enable` is set; `wrap` marks the last value.
hw.module @counter(in %clk : !seq.clock, in %rst : i1, in %enable : i1, out count : i4, out wrap : i1) {
  %zero = hw.constant 0 : i4
  %one = hw.constant 1 : i4
  %last = hw.constant -1 : i4
  %next = comb.add %count, %one : i4
  %count = seq.compreg.ce %next, %clk, %enable reset %rst, %zero {sv.namehint = "count"} : i4
  %wrap = comb.icmp eq %count, %last : i4
  hw.output %count, %wrap : i4, i1
}
