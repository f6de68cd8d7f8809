// RUN: qopt %s --split-input-file --verify-diagnostics -p fixed-point-batch-norm | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p fixed-point-batch-norm,floor-thresholds | filecheck %s --check-prefix FLOOR
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'fixed-point-batch-norm{bits=4 fraction=2}' | filecheck %s --check-prefix GIVEN
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'fixed-point-batch-norm{bits=40}' | filecheck %s --check-prefix BITS

// Of 16 bits, 0.3 leaves 16 behind the point, as 19661; 2.5 leaves 13, as 20480, which
// is 163840 with 16 behind the point.
// CHECK: qnn.fixed_point_batch_norm = [{node = "norm", bits = 16 : i64, slope_fraction = 16 : i64, intercept_fraction = 13 : i64, values = array<i64: 16, 16>, differing = array<i64: 0, 0>, greatest = array<i64: 0, 0>}]
// CHECK-LABEL: func.func @norm
// CHECK: %[[K:.*]] = qnn.constant <tensor<1x2xsi16>, [19661, -19661]>
// CHECK: %[[H:.*]] = qnn.constant <tensor<1x2xui18>, [163840, 163840]>
// CHECK: %[[S:.*]] = qnn.constant <tensor<f32>, [1.5258789e-05]>
// CHECK: %[[P:.*]] = qnn.mul %n, %[[K]]
// CHECK: %[[Y:.*]] = qnn.add %[[P]], %[[H]]
// CHECK: %[[D:.*]] = qnn.dequantize %[[Y]], %[[S]]
// CHECK: %[[R:.*]] = qnn.relu %[[D]]
// CHECK: qnn.quantize %[[R]]
// The integer arithmetic goes into the thresholds.
// FLOOR-LABEL: func.func @norm
// FLOOR-NOT: qnn.mul
// FLOOR: qnn.threshold %n
// With two bits behind the point, 2.5 does not fit four bits: 0.3 alone would.
// GIVEN: fixed-point-batch-norm: qnn.quantize: h of channel 0 is 2.5, which 4 bits with 2 behind the point do not hold; 1 behind the point would
// BITS: fixed-point-batch-norm: bits must be from 2 to 32, got 40
func.func @norm(%n: tensor<1x2xsi4>) -> tensor<1x2xui2> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<1x2xf32>, [0.3, -0.3]>
  %h = qnn.constant <tensor<2xf32>, [2.5, 2.5]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %m = qnn.mul %x, %k : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  %y = qnn.add %m, %h : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32> loc("norm")
  %r = qnn.relu %y : tensor<1x2xf32> -> tensor<1x2xf32>
  %0 = qnn.quantize %r, %s, %z rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xui2>
  func.return %0 : tensor<1x2xui2>
}

// -----

// Two bits behind the point round 0.3 to 0.25 and 0.875 to 1, its even neighbour. The
// sign turns at 4 instead of 3, so that it differs for n = 3.
// GIVEN: differing = array<i64: 1>, greatest = array<i64: 1>
// CHECK-LABEL: func.func @coarse
// GIVEN-LABEL: func.func @coarse
func.func @coarse(%n: tensor<1x1xsi4>) -> tensor<1x1x!qnn.bipolar> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<f32>, [0.3]>
  %h = qnn.constant <tensor<f32>, [0.875]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x1xsi4>, tensor<f32>, tensor<f32> -> tensor<1x1xf32>
  %m = qnn.mul %x, %k : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xf32>
  %y = qnn.sub %m, %h : tensor<1x1xf32>, tensor<f32> -> tensor<1x1xf32>
  %0 = qnn.sign %y : tensor<1x1xf32> -> tensor<1x1x!qnn.bipolar>
  func.return %0 : tensor<1x1x!qnn.bipolar>
}

// -----

// A scale alone is no batch norm, and what no quantiser reads stays real.
// CHECK-NOT: qnn.fixed_point_batch_norm
// CHECK-LABEL: func.func @others
func.func @others(%n: tensor<1x2xsi4>) -> (tensor<1x2x!qnn.bipolar>, tensor<1x2xf32>) {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<f32>, [0.3]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: %[[X:.*]] = qnn.dequantize %n
  // CHECK: %[[M:.*]] = qnn.mul %[[X]]
  // CHECK: qnn.add %[[M]]
  // CHECK: qnn.sign %[[M]]
  %m = qnn.mul %x, %k : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xf32>
  %y = qnn.add %m, %k : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xf32>
  %0 = qnn.sign %m : tensor<1x2xf32> -> tensor<1x2x!qnn.bipolar>
  func.return %0, %y : tensor<1x2x!qnn.bipolar>, tensor<1x2xf32>
}
