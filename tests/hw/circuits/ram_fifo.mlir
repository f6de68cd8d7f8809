// A queue of four 70-bit words in a memory; `in_ready` depends on registers only.
hw.module @ram_fifo(in %clk : !seq.clock, in %rst : i1, in %in_data : i70, in %in_valid : i1, out in_ready : i1, out out_data : i70, out out_valid : i1, in %out_ready : i1) {
  %zero = hw.constant 0 : i3
  %one = hw.constant 1 : i3
  %four = hw.constant 4 : i3
  %words = sv.reg {name = "words"} : !hw.inout<!hw.uarray<4xi70>>
  %edge = seq.from_clock %clk
  %put_at = comb.extract %put from 0 : (i3) -> i2
  %take_at = comb.extract %take from 0 : (i3) -> i2
  %count = comb.sub %put, %take : i3
  %ready = comb.icmp ne %count, %four : i3
  %valid = comb.icmp ne %count, %zero : i3
  %putting = comb.and %ready, %in_valid : i1
  %taking = comb.and %valid, %out_ready : i1
  sv.always posedge %edge {
    sv.if %putting {
      %target = sv.array_index_inout %words[%put_at] : !hw.inout<!hw.uarray<4xi70>>, i2
      sv.passign %target, %in_data : i70
    }
  }
  %source = sv.array_index_inout %words[%take_at] : !hw.inout<!hw.uarray<4xi70>>, i2
  %head = sv.read_inout %source : !hw.inout<i70>
  %put_next = comb.add %put, %one : i3
  %take_next = comb.add %take, %one : i3
  %put = seq.compreg.ce %put_next, %clk, %putting reset %rst, %zero {sv.namehint = "put"} : i3
  %take = seq.compreg.ce %take_next, %clk, %taking reset %rst, %zero {sv.namehint = "take"} : i3
  hw.output %ready, %head, %valid : i1, i70, i1
}
