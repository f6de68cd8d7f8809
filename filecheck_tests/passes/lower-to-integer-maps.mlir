// RUN: qopt %s --split-input-file --verify-diagnostics -p lower-to-integer | filecheck %s

// A zero point stands for 0: padding is made of it; bipolar maps need none.
// CHECK-LABEL: func.func @zero_point
func.func @zero_point(%q: tensor<1x1x4xui4>) -> tensor<1x1x4xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [3.0]>
  %0 = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<1x1x3xsi3>, [1, -2, 3]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x1x4xui4>, tensor<f32>, tensor<f32> -> tensor<1x1x4xf32>
  %k = qnn.dequantize %w, %s, %0 : tensor<1x1x3xsi3>, tensor<f32>, tensor<f32> -> tensor<1x1x3xf32>
  // CHECK: [[V:%.*]] = qnn.constant <tensor<ui4>, [3]>
  // CHECK: [[P:%.*]] = qnn.pad %q, [[V]] low [0, 0, 1] high [0, 0, 1] : tensor<1x1x4xui4>, tensor<ui4> -> tensor<1x1x6xui4>
  // CHECK: [[C:%.*]] = qnn.conv [[P]], %w strides [1] pads [0, 0] dilations [1] groups 1 : tensor<1x1x6xui4>, tensor<1x1x3xsi3> -> tensor<1x1x4xsi9>
  // CHECK: [[O:%.*]] = qnn.constant <tensor<1x1xf32>, [6.0]>
  // CHECK: qnn.dequantize [[C]], {{%.*}}, [[O]]
  %c = qnn.conv %x, %k strides [1] pads [1, 1] dilations [1] groups 1 : tensor<1x1x4xf32>, tensor<1x1x3xf32> -> tensor<1x1x4xf32>
  func.return %c : tensor<1x1x4xf32>
}

// -----

// Scales 0.5 and 0.75 share the grid of 0.25.
// CHECK-LABEL: func.func @unequal_scales
func.func @unequal_scales(%a: tensor<1x2x3xsi3>, %b: tensor<1x2x3xui2>) -> tensor<1x2x3xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %t = qnn.constant <tensor<f32>, [0.75]>
  %z = qnn.constant <tensor<f32>, [1.0]>
  %x = qnn.dequantize %a, %s, %z : tensor<1x2x3xsi3>, tensor<f32>, tensor<f32> -> tensor<1x2x3xf32>
  %y = qnn.dequantize %b, %t, %z : tensor<1x2x3xui2>, tensor<f32>, tensor<f32> -> tensor<1x2x3xf32>
  // CHECK: [[P:%.*]] = qnn.constant <tensor<ui2>, [2]>
  // CHECK: [[A:%.*]] = qnn.mul %a, [[P]] : tensor<1x2x3xsi3>, tensor<ui2> -> tensor<1x2x3xsi4>
  // CHECK: [[Q:%.*]] = qnn.constant <tensor<ui2>, [3]>
  // CHECK: [[B:%.*]] = qnn.mul %b, [[Q]] : tensor<1x2x3xui2>, tensor<ui2> -> tensor<1x2x3xsi5>
  // CHECK: [[S:%.*]] = qnn.add [[A]], [[B]] : tensor<1x2x3xsi4>, tensor<1x2x3xsi5> -> tensor<1x2x3xsi5>
  // CHECK: [[G:%.*]] = qnn.constant <tensor<f32>, [0.25]>
  // CHECK: [[Z:%.*]] = qnn.constant <tensor<f32>, [5.0]>
  // CHECK: qnn.dequantize [[S]], [[G]], [[Z]]
  %r = qnn.add %x, %y : tensor<1x2x3xf32>, tensor<1x2x3xf32> -> tensor<1x2x3xf32>
  func.return %r : tensor<1x2x3xf32>
}

// -----

// Scales 1 and 1 + 2**-23 share a grid of 2**-23: a zero point of 2**23 * 3 is added.
// CHECK-LABEL: func.func @zero_point_beyond_float32
func.func @zero_point_beyond_float32(%a: tensor<1x2xui2>, %b: tensor<1x2xui2>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %t = qnn.constant <tensor<f32>, [1.00000011920928955078125]>
  %y = qnn.constant <tensor<f32>, [3.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %0 = qnn.dequantize %a, %s, %y : tensor<1x2xui2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %1 = qnn.dequantize %b, %t, %z : tensor<1x2xui2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: [[P:%.*]] = qnn.constant <tensor<ui24>, [8388608]>
  // CHECK: qnn.mul %a, [[P]]
  // CHECK: [[Q:%.*]] = qnn.constant <tensor<ui24>, [8388609]>
  // CHECK: qnn.mul %b, [[Q]]
  // CHECK: [[S:%.*]] = qnn.add
  // CHECK: [[C:%.*]] = qnn.constant <tensor<si26>, [-25165824]>
  // CHECK: [[D:%.*]] = qnn.add [[S]], [[C]]
  // CHECK: [[Z:%.*]] = qnn.constant <tensor<f32>, [0.0]>
  // CHECK: qnn.dequantize [[D]], {{%.*}}, [[Z]]
  %2 = qnn.add %0, %1 : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %2 : tensor<1x2xf32>
}

// -----

// CHECK: lower-to-integer: qnn.conv: the input of the convolution is not quantised; put a Quant or BipolarQuant before it
func.func @real(%x: tensor<1x1x4xf32>) -> tensor<1x1x2xf32> {
  %w = qnn.constant <tensor<1x1x3xf32>, [1.0, 2.0, 3.0]>
  %c = qnn.conv %x, %w strides [1] pads [0, 0] dilations [1] groups 1 : tensor<1x1x4xf32>, tensor<1x1x3xf32> -> tensor<1x1x2xf32>
  func.return %c : tensor<1x1x2xf32>
}

// -----

// The division of an average is one of the scale: 0.75 / 3 * 0.5.
// CHECK-LABEL: func.func @average
func.func @average(%q: tensor<1x2x3xui2>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<f32>, [0.75]>
  %t = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %n = qnn.constant <tensor<f32>, [3.0]>
  %w = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, -1]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2x3xui2>, tensor<f32>, tensor<f32> -> tensor<1x2x3xf32>
  %k = qnn.dequantize %w, %t, %z : tensor<1x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: [[P:%.*]] = qnn.sum_pool %q
  // CHECK: [[F:%.*]] = qnn.reshape [[P]]
  // CHECK-NOT: qnn.div
  // CHECK: [[M:%.*]] = qnn.matmul [[F]], %w
  // CHECK: [[S:%.*]] = qnn.constant <tensor<f32>, [0.125]>
  // CHECK: qnn.dequantize [[M]], [[S]]
  %p = qnn.sum_pool %x kernel [3] strides [1] pads [0, 0] dilations [1] : tensor<1x2x3xf32> -> tensor<1x2x1xf32>
  %d = qnn.div %p, %n : tensor<1x2x1xf32>, tensor<f32> -> tensor<1x2x1xf32>
  %f = qnn.reshape %d : tensor<1x2x1xf32> -> tensor<1x2xf32>
  %m = qnn.matmul %f, %k : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %m : tensor<1x1xf32>
}

// -----

// Scales of channels that share a grid go into the weights.
// CHECK-LABEL: func.func @channels
func.func @channels(%q: tensor<1x2xui2>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<2xf32>, [0.5, 2.0]>
  %t = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, -1]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2xui2>, tensor<2xf32>, tensor<f32> -> tensor<1x2xf32>
  %k = qnn.dequantize %w, %t, %z : tensor<1x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: [[W:%.*]] = qnn.constant <tensor<1x2xsi3>, [1, -4]>
  // CHECK: [[M:%.*]] = qnn.matmul %q, [[W]]
  // CHECK: [[S:%.*]] = qnn.constant <tensor<f32>, [0.5]>
  // CHECK: qnn.dequantize [[M]], [[S]]
  %m = qnn.matmul %x, %k : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %m : tensor<1x1xf32>
}

// -----

// CHECK: lower-to-integer: qnn.matmul (node 'fc'): the scale of the input must be one constant number, or one of each channel in small whole ratios
func.func @unrelated(%q: tensor<1x2xui2>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<2xf32>, [0.5, 0.3]>
  %t = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, -1]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2xui2>, tensor<2xf32>, tensor<f32> -> tensor<1x2xf32>
  %k = qnn.dequantize %w, %t, %z : tensor<1x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %m = qnn.matmul %x, %k : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32> loc("fc")
  func.return %m : tensor<1x1xf32>
}
