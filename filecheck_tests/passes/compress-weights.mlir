// RUN: qopt %s -p compress-weights | filecheck %s
// RUN: qopt %s -p 'compress-weights{coding=huffman codebook=false}' | filecheck %s --check-prefix HUFFMAN
// RUN: qopt %s -p 'compress-weights{coding=relative gap-bits=3 codebook=false}' | filecheck %s --check-prefix RELATIVE
// RUN: qopt %s -p 'compress-weights{coding=relative}' -p drop-unused-weights | qopt - -p 'compress-weights{coding=raw codebook=false}' | filecheck %s --check-prefix BACK
// RUN: qopt %s -p compress-weights 2>&1 >/dev/null | filecheck %s --check-prefix SIZES
// RUN: not qopt %s -p 'compress-weights{coding=zip}' 2>&1 | filecheck %s --check-prefix CODING
// RUN: not qopt %s -p 'compress-weights{gap-bits=9}' 2>&1 | filecheck %s --check-prefix GAPS

// CODING: compress-weights: coding must be smallest, raw, huffman, relative or relative-huffman, got zip
// GAPS: compress-weights: gap-bits must be from 0 to 8, got 9

// Of 32 weights two are not 0. A code of one bit for 0 and two for the others takes 34
// bits in 5 bytes, a gap of 3 bits and 8 bits for each entry more.
// CHECK-DAG: qnn.weight @sparse = #qnn.coded<tensor<2x16xsi8>,
// HUFFMAN: qnn.weight @sparse = #qnn.coded<tensor<2x16xsi8>, values huffman "
// RELATIVE: qnn.weight @sparse = #qnn.coded<tensor<2x16xsi8>, gaps 3 over 0, values 8, "
// BACK: qnn.weight @sparse{{.*}} = <tensor<2x16xsi8>, [0, 0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]>
// SIZES: compress-weights: weights @sparse: 32 in 32 bytes, 8.00 bits each;
qnn.weight @sparse = <tensor<2x16xsi8>, [0, 0, 0, 0, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]>

// What no coding makes smaller stays as it is.
// CHECK-DAG: qnn.weight @dense = <tensor<1x2xsi4>, [-3, 5]>
qnn.weight @dense = <tensor<1x2xsi4>, [-3, 5]>

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<1x16xsi4>) -> tensor<1x1xsi32> {
  %w = qnn.load @sparse : tensor<2x16xsi8>
  %0 = qnn.matmul %x, %w : tensor<1x16xsi4>, tensor<2x16xsi8> -> tensor<1x2xsi16>
  // CHECK: qnn.load @dense
  %v = qnn.load @dense : tensor<1x2xsi4>
  %1 = qnn.matmul %0, %v : tensor<1x2xsi16>, tensor<1x2xsi4> -> tensor<1x1xsi32>
  func.return %1 : tensor<1x1xsi32>
}
