// For each beat taken, sends the word of a table at that address, one cycle later.
qnn.weight @rom_reader_table = <tensor<12xui10>, [1023, 0, 512, 3, 77, 5, 6, 700, 8, 9, 1000, 11]>
hw.module @rom_reader(in %clk : !seq.clock, in %rst : i1, in %in_data : i4, in %in_valid : i1, out in_ready : i1, out out_data : i10, out out_valid : i1, in %out_ready : i1) {
  %no = hw.constant 0 : i1
  %true = hw.constant -1 : i1
  %table = sv.reg {name = "table", sv.attributes = [#sv.attribute<"rom_style" = "\"block\"">]} : !hw.inout<!hw.uarray<12xi10>>
  sv.initial {
    sv.readmem %table, "rom_reader_table.mem", MemBaseHex : !hw.inout<!hw.uarray<12xi10>>
  }
  %place = sv.array_index_inout %table[%in_data] : !hw.inout<!hw.uarray<12xi10>>, i4
  %now = sv.read_inout %place : !hw.inout<i10>
  %blocked = comb.xor %out_ready, %true : i1
  %held = comb.and %valid, %blocked : i1
  %step = comb.xor %held, %true {sv.namehint = "step"} : i1
  %valid = seq.compreg.ce %in_valid, %clk, %step reset %rst, %no {sv.namehint = "valid"} : i1
  %word = seq.compreg.ce %now, %clk, %step {sv.namehint = "word"} : i10
  hw.output %step, %word, %valid : i1, i10, i1
}
