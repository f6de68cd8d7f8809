// RUN: qopt %s --split-input-file --verify-diagnostics -p posit-weights | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'posit-weights{n=6 es=auto}' | filecheck %s --check-prefix AUTO
// RUN: qopt %s --split-input-file --verify-diagnostics -p posit-weights,lower-to-integer | filecheck %s --check-prefix INTEGER
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'posit-weights{n=12 es=2},lower-to-integer' | filecheck %s --check-prefix WIDE
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'posit-weights{n=32 es=4}' | filecheck %s --check-prefix SPAN
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'posit-weights{n=40}' | filecheck %s --check-prefix N
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'posit-weights{es=7}' | filecheck %s --check-prefix ES

// 0.3 lies between 0.296875 and 0.3125; 10000 saturates at the greatest posit.
// CHECK: scheme = "!qnn.posit<8,1>", count = 4 : i64, stored_bits = 32 : i64
// CHECK: qnn.weight @w_posit = <tensor<2x2x!qnn.posit<8,1>>, [0.296875, -1.0, 0.0, 4096.0]>
// AUTO: scheme = "!qnn.posit<6,2>"
// N: posit-weights: n must be from 2 to 32, got 40
// ES: posit-weights: es must be auto, or from 0 to 4, got 7
qnn.weight @w = <tensor<2x2xf32>, [0.3, -1.0, 0.0, 10000.0]>
// CHECK-LABEL: func.func @main
// INTEGER-LABEL: func.func @main
// WIDE-LABEL: func.func @main
func.func @main(%x: tensor<1x2xsi4>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %v = qnn.dequantize %x, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: %[[P:.*]] = qnn.load @w_posit
  // CHECK: %[[W:.*]] = qnn.from_posit %[[P]] : tensor<2x2x!qnn.posit<8,1>> -> tensor<2x2xf32>
  // CHECK: qnn.matmul %v, %[[W]]
  // Codes and a table; 0.296875 is 19 * 2**-6.
  // INTEGER: %[[C:.*]] = qnn.load @w_posit_codes : tensor<2x2xui8>
  // INTEGER: %[[D:.*]] = qnn.decode %[[C]], %{{.*}} : tensor<2x2xui8>, tensor<256xsi20> -> tensor<2x2xsi20>
  // INTEGER: qnn.matmul %x, %[[D]]
  // INTEGER: qnn.constant <tensor<f32>, [0.015625]>
  // WIDE: qnn.load @w_posit_levels : tensor<2x2xsi{{[0-9]+}}>
  // WIDE-NOT: qnn.decode
  %w = qnn.load @w : tensor<2x2xf32>
  %0 = qnn.matmul %v, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// SPAN: posit-weights: qnn.matmul (node 'fc'): between the greatest and the finest bit of these weights lie {{[0-9]+}} bits, at most 63; choose a smaller n or es, or quantize-weights
// A real input is refused as ever.
// INTEGER: lower-to-integer: qnn.matmul (node 'fc'): the input of the product is not quantised
func.func @wide_range(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = qnn.constant <tensor<1x2xf32>, [1.0e+20, 1.0e-20]>
  %0 = qnn.matmul %x, %w : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32> loc("fc")
  func.return %0 : tensor<1x1xf32>
}
