// RUN: qopt %s | qopt | filecheck %s
// RUN: qopt %s -p 'compress-weights{coding=raw codebook=false}' | filecheck %s --check-prefix PLAIN

// 0 is the word "0", 1 is "10", 2 is "110" and 3 "111": 0 1 2 3 0 0 3 3.
// CHECK: qnn.weight @huffman = #qnn.coded<tensor<1x8xui4>, values huffman "01020303", "5b9f80">
// PLAIN: qnn.weight @huffman = <tensor<1x8xui4>, [0, 1, 2, 3, 0, 0, 3, 3]>
qnn.weight @huffman = #qnn.coded<tensor<1x8xui4>, values huffman "01020303", "5b9f80">

// Gaps of two bits: two zeros, -1; a gap of four is cut by a filler of 0 behind three
// zeros; then 1; the last zero is written behind a gap of none.
// CHECK: qnn.weight @relative = #qnn.coded<tensor<1x9x!qnn.ternary>, gaps 2 over 0, values 2, "bc10">
// PLAIN: qnn.weight @relative = <tensor<1x9x!qnn.ternary>, [0, 0, -1, 0, 0, 0, 0, 1, 0]>
qnn.weight @relative = #qnn.coded<tensor<1x9x!qnn.ternary>, gaps 2 over 0, values 2, "bc10">

func.func @main(%x: tensor<1x8xui1>, %y: tensor<1x9xui1>) -> (tensor<1x1xsi16>, tensor<1x1xsi16>) {
  %a = qnn.load @huffman : tensor<1x8xui4>
  %0 = qnn.matmul %x, %a : tensor<1x8xui1>, tensor<1x8xui4> -> tensor<1x1xsi16>
  %b = qnn.load @relative : tensor<1x9x!qnn.ternary>
  %1 = qnn.matmul %y, %b : tensor<1x9xui1>, tensor<1x9x!qnn.ternary> -> tensor<1x1xsi16>
  func.return %0, %1 : tensor<1x1xsi16>, tensor<1x1xsi16>
}
