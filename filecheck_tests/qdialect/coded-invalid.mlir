// RUN: qopt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: coded constant: no prefix code has words of lengths "010101"
qnn.weight @w = #qnn.coded<tensor<8xui4>, values huffman "010101", "5b9f80">

// -----

// CHECK: the stream has 8 symbols, expected 64
qnn.weight @w = #qnn.coded<tensor<64xui4>, values huffman "01020303", "5b9f">

// -----

// CHECK: symbol 3 has more than 1 bits
qnn.weight @w = #qnn.coded<tensor<8xui1>, values huffman "01020303", "5b9f80">

// -----

// CHECK: expected words of 1 to 8 bits, got 9
qnn.weight @w = #qnn.coded<tensor<8xui4>, values 9, "5b9f80">

// -----

// CHECK: expected an even number of hex digits
qnn.weight @w = #qnn.coded<tensor<8xui4>, values 4, "5b9">

// -----

// CHECK: the element type must be !qnn.bipolar, !qnn.ternary, siN or uiN
qnn.weight @w = #qnn.coded<tensor<8xf32>, values 4, "5b9f">

// -----

// CHECK: expected #qnn.data or #qnn.coded
qnn.weight @w = #builtin.int<3>
