// RUN: qopt %s -p fold-batch-norm,quantize-inputs,lower-to-integer,floor-thresholds --verify-each | filecheck %s
// RUN: qopt %s -p 'quantize-inputs{bits=4 fraction=0}' --verify-each --verify-diagnostics | filecheck %s --check-prefix DIFFERS

// All passes but one are exact; rounding inputs to few bits is not, and the first
// operation with another value is named by its line or node.
// CHECK: qnn.threshold
// DIFFERS: verify-each.mlir: error: pass 'quantize-inputs' changes output 'output0' of @main: [{{.*}}] was {{.*}}, became {{.*}} of 32 values differ)
// DIFFERS-NEXT: first operation that differs:
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = qnn.constant <tensor<2x4xf32>, [1.0, -1.0, 2.0, 1.0, -1.0, 1.0, 1.0, 3.0]>
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %levels = qnn.quantize %w, %one, %zero rounding half_even : tensor<2x4xf32>, tensor<f32>, tensor<f32> -> tensor<2x4xsi3>
  %real = qnn.dequantize %levels, %one, %zero : tensor<2x4xsi3>, tensor<f32>, tensor<f32> -> tensor<2x4xf32>
  %a = qnn.matmul %x, %real : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32>
  %q = qnn.quantize %a, %one, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi4>
  %y = qnn.dequantize %q, %one, %zero : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
