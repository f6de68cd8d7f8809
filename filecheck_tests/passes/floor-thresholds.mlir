// RUN: qopt %s --split-input-file --verify-diagnostics -p floor-thresholds | filecheck %s

// sign(0.5 * n + [0.25, -0.25]): floor(0.5) is 0 and the tie goes up.
// CHECK-LABEL: func.func @sign_of_bias
func.func @sign_of_bias(%n: tensor<1x2xsi4>) -> tensor<1x2x!qnn.bipolar> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %b = qnn.constant <tensor<2xf32>, [0.25, -0.25]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %y = qnn.add %x, %b : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  // CHECK: %[[T:.*]] = qnn.constant <tensor<2x1xui1>, [0, 1]>
  // CHECK: qnn.threshold %n, %[[T]] offset 0 axis 1 : tensor<1x2xsi4>, tensor<2x1xui1> -> tensor<1x2x!qnn.bipolar>
  // CHECK-NOT: qnn.add
  %0 = qnn.sign %y : tensor<1x2xf32> -> tensor<1x2x!qnn.bipolar>
  func.return %0 : tensor<1x2x!qnn.bipolar>
}

// -----

// Factors 1, -1 and 0: a rising, a falling and a constant channel.
// CHECK-LABEL: func.func @gammas
func.func @gammas(%n: tensor<1x3xsi4>) -> tensor<1x3xui2> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %g = qnn.constant <tensor<3xf32>, [1.0, -1.0, 0.0]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x3xsi4>, tensor<f32>, tensor<f32> -> tensor<1x3xf32>
  %y = qnn.mul %x, %g : tensor<1x3xf32>, tensor<3xf32> -> tensor<1x3xf32>
  // CHECK: %[[T:.*]] = qnn.constant <tensor<3x3xsi5>, [1, 2, 3, -2, -1, 0, 8, 8, 8]>
  // CHECK: %[[F:.*]] = qnn.constant <tensor<3xui1>, [0, 1, 0]>
  // CHECK: qnn.threshold %n, %[[T]] falling %[[F]]
  %0 = qnn.quantize %y, %s, %z rounding half_even : tensor<1x3xf32>, tensor<f32>, tensor<f32> -> tensor<1x3xui2>
  func.return %0 : tensor<1x3xui2>
}

// -----

// |n| turns back: a table.
// CHECK-LABEL: func.func @table
func.func @table(%n: tensor<1x1xsi3>) -> tensor<1x1xui2> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x1xsi3>, tensor<f32>, tensor<f32> -> tensor<1x1xf32>
  %y = qnn.abs %x : tensor<1x1xf32> -> tensor<1x1xf32>
  // CHECK: %[[T:.*]] = qnn.constant <tensor<1x8xui2>, [3, 3, 2, 1, 0, 1, 2, 3]>
  // CHECK: qnn.lookup %n, %[[T]] low -4 axis 1
  %0 = qnn.quantize %y, %s, %z rounding half_even : tensor<1x1xf32>, tensor<f32>, tensor<f32> -> tensor<1x1xui2>
  func.return %0 : tensor<1x1xui2>
}

// -----

// The order of the elements is that of the accumulators.
// CHECK-LABEL: func.func @argmax
func.func @argmax(%n: tensor<1x3xsi4>) -> tensor<1x1xui2> {
  %s = qnn.constant <tensor<f32>, [0.3]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x3xsi4>, tensor<f32>, tensor<f32> -> tensor<1x3xf32>
  // CHECK: qnn.topk %n axis 1 : tensor<1x3xsi4>
  %v, %i = qnn.topk %x axis 1 : tensor<1x3xf32> -> tensor<1x1xf32>, tensor<1x1xui2>
  func.return %i : tensor<1x1xui2>
}

// -----

// A quantiser of real numbers has no accumulator and stays.
// CHECK-LABEL: func.func @input
func.func @input(%x: tensor<1x3xf32>) -> tensor<1x3x!qnn.bipolar> {
  // CHECK: qnn.sign %x
  %0 = qnn.sign %x : tensor<1x3xf32> -> tensor<1x3x!qnn.bipolar>
  func.return %0 : tensor<1x3x!qnn.bipolar>
}

// -----

// CHECK: floor-thresholds: qnn.sign (node 'act'): the accumulator's range [-2147483648, 2147483647] is too large to tabulate
func.func @too_large(%n: tensor<1x3xsi32>) -> tensor<1x3x!qnn.bipolar> {
  %s = qnn.constant <tensor<f32>, [0.3]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %x = qnn.dequantize %n, %s, %z : tensor<1x3xsi32>, tensor<f32>, tensor<f32> -> tensor<1x3xf32>
  %y = qnn.tanh %x : tensor<1x3xf32> -> tensor<1x3xf32>
  %0 = qnn.sign %y : tensor<1x3xf32> -> tensor<1x3x!qnn.bipolar> loc("act")
  func.return %0 : tensor<1x3x!qnn.bipolar>
}

// -----

// A max pool of accumulators becomes one of counts; the falling channel turns behind it.
// CHECK-LABEL: func.func @pooled
func.func @pooled(%a: tensor<1x2x4xsi5>) -> tensor<1x2x2x!qnn.bipolar> {
  %s = qnn.constant <tensor<2x1xf32>, [0.5, -0.5]>
  %n = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  // CHECK: [[T:%.*]] = qnn.constant <tensor<2x1xui1>, [0, 1]>
  // CHECK: [[F:%.*]] = qnn.constant <tensor<2xui1>, [0, 1]>
  // CHECK: [[C:%.*]] = qnn.threshold %a, [[T]] offset 0 axis 1 : tensor<1x2x4xsi5>, tensor<2x1x{{.*}}> -> tensor<1x2x4x!qnn.bipolar>
  // CHECK: [[P:%.*]] = qnn.max_pool [[C]] kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4x!qnn.bipolar> -> tensor<1x2x2x!qnn.bipolar>
  // CHECK: qnn.threshold [[P]], {{%.*}} falling [[F]]
  %p = qnn.max_pool %a kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xsi5> -> tensor<1x2x2xsi5>
  %d = qnn.dequantize %p, %n, %z : tensor<1x2x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2x2xf32>
  %m = qnn.mul %d, %s : tensor<1x2x2xf32>, tensor<2x1xf32> -> tensor<1x2x2xf32>
  %q = qnn.sign %m : tensor<1x2x2xf32> -> tensor<1x2x2x!qnn.bipolar>
  func.return %q : tensor<1x2x2x!qnn.bipolar>
}

// -----

// Sums of 2, 3 and 2 elements become 6ths, which have one set of thresholds.
// CHECK-LABEL: func.func @unequal_counts
func.func @unequal_counts(%a: tensor<1x1x3xui4>) -> tensor<1x1x3xui1> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %n = qnn.constant <tensor<3xf32>, [2.0, 3.0, 2.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  // CHECK: [[F:%.*]] = qnn.constant <tensor<3xui2>, [3, 2, 3]>
  // CHECK: [[M:%.*]] = qnn.mul %a, [[F]] : tensor<1x1x3xui4>, tensor<3xui2> -> tensor<1x1x3xui6>
  // The average 0.5 is a tie and goes to 0; the least one beyond is 0.5 * 4 / 3.
  // CHECK: [[T:%.*]] = qnn.constant <tensor<1x1xui4>, [8]>
  // CHECK: qnn.threshold [[M]], [[T]] offset 0 axis 1
  %d = qnn.dequantize %a, %s, %z : tensor<1x1x3xui4>, tensor<f32>, tensor<f32> -> tensor<1x1x3xf32>
  %m = qnn.div %d, %n : tensor<1x1x3xf32>, tensor<3xf32> -> tensor<1x1x3xf32>
  %o = qnn.constant <tensor<f32>, [1.0]>
  %q = qnn.quantize %m, %o, %z rounding half_even : tensor<1x1x3xf32>, tensor<f32>, tensor<f32> -> tensor<1x1x3xui1>
  func.return %q : tensor<1x1x3xui1>
}
