// Sum of four signed elements behind a register, on a stream; stalls as a whole.
hw.module @leaf(in %a : i8, in %b : i8, out sum : i9) attributes {comment = "Exact sum of two signed numbers."} {
  %sa = comb.extract %a from 7 : (i8) -> i1
  %sb = comb.extract %b from 7 : (i8) -> i1
  %wa = comb.concat %sa, %a : i1, i8
  %wb = comb.concat %sb, %b : i1, i8
  %sum = comb.add %wa, %wb : i9
  hw.output %sum : i9
}
hw.module @adder_tree(in %clk : !seq.clock, in %rst : i1, in %in_data : i32, in %in_valid : i1, out in_ready : i1, out out_data : i16, out out_valid : i1, in %out_ready : i1) {
  %no = hw.constant 0 : i1
  %true = hw.constant -1 : i1
  %e0 = comb.extract %in_data from 0 : (i32) -> i8
  %e1 = comb.extract %in_data from 8 : (i32) -> i8
  %e2 = comb.extract %in_data from 16 : (i32) -> i8
  %e3 = comb.extract %in_data from 24 : (i32) -> i8
  %low = hw.instance "low" @leaf(a: %e0: i8, b: %e1: i8) -> (sum: i9)
  %high = hw.instance "high" @leaf(a: %e2: i8, b: %e3: i8) -> (sum: i9)
  %slow = comb.extract %low from 8 : (i9) -> i1
  %shigh = comb.extract %high from 8 : (i9) -> i1
  %wlow = comb.concat %slow, %low : i1, i9
  %whigh = comb.concat %shigh, %high : i1, i9
  %sum = comb.add %wlow, %whigh {sv.namehint = "sum"} : i10
  %blocked = comb.xor %out_ready, %true : i1
  %held = comb.and %valid, %blocked : i1
  %step = comb.xor %held, %true {sv.namehint = "step"} : i1
  %valid = seq.compreg.ce %in_valid, %clk, %step reset %rst, %no {sv.namehint = "valid"} : i1
  %total = seq.compreg.ce %sum, %clk, %step {sv.namehint = "total"} : i10
  %sign = comb.extract %total from 9 : (i10) -> i1
  %signs = comb.replicate %sign : (i1) -> i6
  %out = comb.concat %signs, %total : i6, i10
  hw.output %step, %out, %valid : i1, i16, i1
}
