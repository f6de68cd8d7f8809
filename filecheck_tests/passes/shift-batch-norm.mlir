// RUN: qopt %s --split-input-file -p shift-batch-norm | filecheck %s
// RUN: qopt %s --split-input-file -p shift-batch-norm,floor-thresholds | filecheck %s --check-prefix FLOOR
// RUN: qopt %s --split-input-file -p 'shift-batch-norm{keep-offset=true}' | filecheck %s --check-prefix KEPT

// In its logarithm 0.3 is nearest to 0.25, -0.375 to -0.5, and 0 stays. An offset of 1.5
// keeps its zero: 1.5 * 0.25 / 0.3, 1.5 * 0.5 / 0.375.
// CHECK: qnn.shift_batch_norm = [{node = "norm", exponents = array<i64: -2, -1, 0>, values = array<i64: 16, 16, 16>, differing = array<i64: 4, 2, 0>, greatest = array<i64: 1, 1, 0>}]
// CHECK-LABEL: func.func @norm
// CHECK-DAG: %[[K:.*]] = qnn.constant <tensor<1x3xf32>, [0.25, -0.5, 0.0]>
// CHECK-DAG: %[[H:.*]] = qnn.constant <tensor<1x3xf32>, [1.25, 2.0, 1.5]>
// CHECK: %[[X:.*]] = qnn.dequantize %n, %[[K]]
// CHECK: %[[Y:.*]] = qnn.add %[[X]], %[[H]]
// CHECK: qnn.relu %[[Y]]
// FLOOR-LABEL: func.func @norm
// FLOOR: qnn.threshold %n
// KEPT: qnn.constant <tensor<1x3xf32>, [1.5, 1.5, 1.5]>
func.func @norm(%n: tensor<1x3xsi4>) -> tensor<1x3xui2> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<1x3xf32>, [0.3, -0.375, 0.0]>
  %h = qnn.constant <tensor<f32>, [1.5]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x3xsi4>, tensor<f32>, tensor<f32> -> tensor<1x3xf32>
  %m = qnn.mul %x, %k : tensor<1x3xf32>, tensor<1x3xf32> -> tensor<1x3xf32>
  %y = qnn.add %m, %h : tensor<1x3xf32>, tensor<f32> -> tensor<1x3xf32> loc("norm")
  %r = qnn.relu %y : tensor<1x3xf32> -> tensor<1x3xf32>
  %0 = qnn.quantize %r, %s, %z rounding half_even : tensor<1x3xf32>, tensor<f32>, tensor<f32> -> tensor<1x3xui2>
  func.return %0 : tensor<1x3xui2>
}

// -----

// A sign turns where it turned; with the offset kept it does not. The scale of the
// accumulator is part of k: 0.5 * 0.6.
// CHECK: differing = array<i64: 0>
// KEPT: differing = array<i64: 1>
// CHECK-LABEL: func.func @sign
func.func @sign(%n: tensor<1x1xsi4>) -> tensor<1x1x!qnn.bipolar> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<f32>, [0.6]>
  %h = qnn.constant <tensor<f32>, [0.875]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x1xsi4>, tensor<f32>, tensor<f32> -> tensor<1x1xf32>
  %m = qnn.mul %x, %k : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xf32>
  %y = qnn.sub %m, %h : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xf32>
  %0 = qnn.sign %y : tensor<1x1xf32> -> tensor<1x1x!qnn.bipolar>
  func.return %0 : tensor<1x1x!qnn.bipolar>
}
