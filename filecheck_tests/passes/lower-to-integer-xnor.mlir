// RUN: qopt %s --split-input-file --verify-diagnostics -p lower-to-integer | filecheck %s

// XNOR-Net's map K: the magnitudes of levels, added up over channels and windows; times
// the sums of a convolution of their signs. Scales multiply: 0.5 of K's levels divided
// by 2 and 9, times alpha.
// CHECK-LABEL: func.func @map
func.func @map(%q: tensor<1x2x3x3xsi4>, %b: tensor<1x2x3x3x!qnn.bipolar>) -> tensor<1x2x3x3xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %one = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<2x2x1x1x!qnn.bipolar>, [1, -1, 1, 1]>
  %alpha = qnn.constant <tensor<2x1x1x1xf32>, [0.75, -0.25]>
  %ones = qnn.constant <tensor<1x2x1x1x!qnn.bipolar>, [1, 1]>
  %two = qnn.constant <tensor<f32>, [2.0]>
  %nine = qnn.constant <tensor<f32>, [9.0]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2x3x3xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2x3x3xf32>
  %y = qnn.dequantize %b, %one, %z : tensor<1x2x3x3x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2x3x3xf32>
  %v = qnn.dequantize %w, %alpha, %z : tensor<2x2x1x1x!qnn.bipolar>, tensor<2x1x1x1xf32>, tensor<f32> -> tensor<2x2x1x1xf32>
  %u = qnn.dequantize %ones, %one, %z : tensor<1x2x1x1x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2x1x1xf32>
  // CHECK: [[A:%.*]] = qnn.abs %q : tensor<1x2x3x3xsi4> -> tensor<1x2x3x3xui4>
  %a = qnn.abs %x : tensor<1x2x3x3xf32> -> tensor<1x2x3x3xf32>
  // CHECK: [[M:%.*]] = qnn.conv [[A]], %ones {{.*}} -> tensor<1x1x3x3xsi6>
  %m = qnn.conv %a, %u strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x2x3x3xf32>, tensor<1x2x1x1xf32> -> tensor<1x1x3x3xf32>
  %d = qnn.div %m, %two : tensor<1x1x3x3xf32>, tensor<f32> -> tensor<1x1x3x3xf32>
  // CHECK: [[K:%.*]] = qnn.sum_pool [[M]] kernel [3, 3]
  %p = qnn.sum_pool %d kernel [3, 3] strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] : tensor<1x1x3x3xf32> -> tensor<1x1x3x3xf32>
  %k = qnn.div %p, %nine : tensor<1x1x3x3xf32>, tensor<f32> -> tensor<1x1x3x3xf32>
  // CHECK: [[C:%.*]] = qnn.conv %b, %w
  %c = qnn.conv %y, %v strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x2x3x3xf32>, tensor<2x2x1x1xf32> -> tensor<1x2x3x3xf32>
  // CHECK: [[R:%.*]] = qnn.mul [[C]], [[K]] : tensor<1x2x3x3xsi3>, tensor<1x1x3x3xsi{{[0-9]+}}> -> tensor<1x2x3x3xsi{{[0-9]+}}>
  // CHECK: [[S:%.*]] = qnn.constant <tensor<2x1x1xf32>, [0.020833334, -0.0069444445]>
  // CHECK: qnn.dequantize [[R]], [[S]]
  %r = qnn.mul %c, %k : tensor<1x2x3x3xf32>, tensor<1x1x3x3xf32> -> tensor<1x2x3x3xf32>
  func.return %r : tensor<1x2x3x3xf32>
}

// -----

// What only a quantiser reads is part of its chain.
// CHECK-LABEL: func.func @quantised
func.func @quantised(%q: tensor<1x2xsi4>) -> tensor<1x2x!qnn.bipolar> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  // CHECK: qnn.dequantize
  // CHECK: qnn.abs {{.*}}xf32>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %a = qnn.abs %x : tensor<1x2xf32> -> tensor<1x2xf32>
  %b = qnn.sub %a, %s : tensor<1x2xf32>, tensor<f32> -> tensor<1x2xf32>
  %0 = qnn.sign %b : tensor<1x2xf32> -> tensor<1x2x!qnn.bipolar>
  func.return %0 : tensor<1x2x!qnn.bipolar>
}

// -----

// A channel that falls: its levels are negated in front of the pool.
// CHECK-LABEL: func.func @falling
func.func @falling(%q: tensor<1x2x4xsi3>) -> tensor<1x2x2xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %c = qnn.constant <tensor<1x2x1xf32>, [-1.5, 2.0]>
  // CHECK: [[D:%.*]] = qnn.constant <tensor<2x1xsi2>, [-1, 1]>
  // CHECK: [[N:%.*]] = qnn.mul %q, [[D]] : tensor<1x2x4xsi3>, tensor<2x1xsi2> -> tensor<1x2x4xsi4>
  // CHECK: [[M:%.*]] = qnn.constant <tensor<1x2x1xf32>, [1.5, 2.0]>
  // CHECK: [[P:%.*]] = qnn.max_pool [[N]]
  // CHECK: [[X:%.*]] = qnn.dequantize [[P]]
  // CHECK: qnn.mul [[X]], [[M]]
  %x = qnn.dequantize %q, %s, %z : tensor<1x2x4xsi3>, tensor<f32>, tensor<f32> -> tensor<1x2x4xf32>
  %y = qnn.mul %x, %c : tensor<1x2x4xf32>, tensor<1x2x1xf32> -> tensor<1x2x4xf32>
  %0 = qnn.max_pool %y kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xf32> -> tensor<1x2x2xf32>
  func.return %0 : tensor<1x2x2xf32>
}

// -----

// CHECK: lower-to-integer: qnn.matmul: it adds up absolute values of real numbers, qnn.abs {{.*}}; put a Quant before that, such as one of 8 bits behind the batch norm, which the sign reads too
func.func @real(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %ones = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, 1]>
  %u = qnn.dequantize %ones, %one, %z : tensor<1x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %a = qnn.abs %x : tensor<1x2xf32> -> tensor<1x2xf32>
  %m = qnn.matmul %a, %u : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %m : tensor<1x1xf32>
}
