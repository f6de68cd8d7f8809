// RUN: qopt %s --split-input-file --verify-diagnostics -p ternarise-weights | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'ternarise-weights{delta=1.5}' | filecheck %s --check-prefix FEW
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'ternarise-weights{levels=5}' | filecheck %s --check-prefix FIVE
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'ternarise-weights{delta=-1}' | filecheck %s --check-prefix DELTA

// The first row's threshold is 0.7 * 1.25 = 0.875, and alpha the mean of 1, 1.5 and 2.
// Behind delta=1.5 only 2 is left. A row of zeros has levels of 0.
// CHECK: qnn.weight_schemes = [{layer = "w", by = "ternarise-weights", scheme = "!qnn.ternary", count = 8 : i64, stored_bits = 80 : i64,
// FIVE: by = "ternarise-weights{levels=5}", scheme = "si3"
// CHECK: qnn.weight @w_ternary = <tensor<2x4x!qnn.ternary>, [0, -1, 1, 1, 0, 0, 0, 0]>
// FEW: qnn.weight @w_ternary = <tensor<2x4x!qnn.ternary>, [0, 0, 0, 1, 0, 0, 0, 0]>
// FIVE: qnn.weight @w_si3 = <tensor<2x4xsi3>, [1, -1, 2, 2, 0, 0, 0, 0]>
// DELTA: ternarise-weights: delta must not be negative, got -1
qnn.weight @w = <tensor<2x4xf32>, [0.5, -1.0, 1.5, 2.0, 0.0, 0.0, 0.0, 0.0]>
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  // CHECK: qnn.constant <tensor<2x1xf32>, [1.5, 1.0]>
  // FEW: qnn.constant <tensor<2x1xf32>, [2.0, 1.0]>
  // With levels 1, 1, 2, 2: (0.5 + 1 + 3 + 4) / (1 + 1 + 4 + 4).
  // FIVE: qnn.constant <tensor<2x1xf32>, [0.85, 1.0]>
  %w = qnn.load @w : tensor<2x4xf32>
  %0 = qnn.matmul %x, %w : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}
