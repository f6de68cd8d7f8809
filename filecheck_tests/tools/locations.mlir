// RUN: qopt %s --print-debuginfo | filecheck %s
// RUN: qopt %s -p 'floor-thresholds{max-table=1}' --verify-diagnostics | filecheck %s --check-prefix REFUSED

// An operation is where it stands in the file, unless it says where it comes from.
// CHECK: qnn.matmul {{.*}} loc("fc1")
// CHECK: qnn.abs {{.*}} loc("{{.*}}locations.mlir":14:3)
// REFUSED: locations.mlir:{{[0-9]+}}:3: error: floor-thresholds: qnn.sign: the accumulator's range
func.func @main(%x: tensor<1x4x!qnn.bipolar>) -> tensor<1x2x!qnn.bipolar> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, 1, -1, -1, 1, 1]>
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %a = qnn.matmul %x, %w : tensor<1x4x!qnn.bipolar>, tensor<2x4x!qnn.bipolar> -> tensor<1x2xsi4> loc("fc1")
  %r = qnn.dequantize %a, %one, %zero : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %s = qnn.abs %r : tensor<1x2xf32> -> tensor<1x2xf32>
  %q = qnn.sign %s : tensor<1x2xf32> -> tensor<1x2x!qnn.bipolar>
  func.return %q : tensor<1x2x!qnn.bipolar>
}
