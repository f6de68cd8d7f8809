// RUN: qopt %s --split-input-file --verify-diagnostics -p outline-core | filecheck %s

// Levels move to @core; the quantiser and the scale stay.
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<1x1x2xf32>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, 1]>
  // CHECK: %[[Q:.*]] = qnn.sign %x
  %q = qnn.sign %x : tensor<1x1x2xf32> -> tensor<1x1x2x!qnn.bipolar>
  // A reshape at the edge stays outside.
  // CHECK: %[[R:.*]] = qnn.reshape %[[Q]]
  %r = qnn.reshape %q : tensor<1x1x2x!qnn.bipolar> -> tensor<1x2x!qnn.bipolar>
  // CHECK: %[[C:.*]] = qnn.call @core(%[[R]]) : (tensor<1x2x!qnn.bipolar>) -> tensor<1x1xsi3>
  %a = qnn.matmul %r, %w : tensor<1x2x!qnn.bipolar>, tensor<1x2x!qnn.bipolar> -> tensor<1x1xsi3>
  // CHECK: qnn.dequantize %[[C]]
  %y = qnn.dequantize %a, %s, %z : tensor<1x1xsi3>, tensor<f32>, tensor<f32> -> tensor<1x1xf32>
  func.return %y : tensor<1x1xf32>
}
// CHECK: func.func @core(%{{.*}}: tensor<1x2x!qnn.bipolar>) -> tensor<1x1xsi3>
// CHECK: qnn.matmul
// CHECK-NOT: qnn.reshape

// -----

// CHECK: outline-core: @main has no integer layer
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %0 = qnn.relu %x : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// CHECK: outline-core: qnn.dequantize (node 'scale') stands between integer layers
func.func @main(%q: tensor<1x1x!qnn.bipolar>) -> tensor<1x1xsi3> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<1x1x!qnn.bipolar>, [1]>
  %a = qnn.matmul %q, %w : tensor<1x1x!qnn.bipolar>, tensor<1x1x!qnn.bipolar> -> tensor<1x1xsi2>
  %y = qnn.dequantize %a, %s, %z : tensor<1x1xsi2>, tensor<f32>, tensor<f32> -> tensor<1x1xf32> loc("scale")
  %p = qnn.sign %y : tensor<1x1xf32> -> tensor<1x1x!qnn.bipolar>
  %b = qnn.matmul %p, %w : tensor<1x1x!qnn.bipolar>, tensor<1x1x!qnn.bipolar> -> tensor<1x1xsi3>
  func.return %b : tensor<1x1xsi3>
}

// -----

// Not the scale of an accumulator is to blame, but who adds it to a real number.
// CHECK: outline-core: qnn.add (node 'shortcut') stands between integer layers and takes two tensors of real numbers; put a quantiser on each of them and one behind it
func.func @main(%q: tensor<1x1x!qnn.bipolar>, %x: tensor<1x1xf32>) -> tensor<1x1xsi3> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %w = qnn.constant <tensor<1x1x!qnn.bipolar>, [1]>
  %a = qnn.matmul %q, %w : tensor<1x1x!qnn.bipolar>, tensor<1x1x!qnn.bipolar> -> tensor<1x1xsi2>
  %y = qnn.dequantize %a, %s, %z : tensor<1x1xsi2>, tensor<f32>, tensor<f32> -> tensor<1x1xf32> loc("scale")
  %t = qnn.add %y, %x : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("shortcut")
  %p = qnn.sign %t : tensor<1x1xf32> -> tensor<1x1x!qnn.bipolar>
  %b = qnn.matmul %p, %w : tensor<1x1x!qnn.bipolar>, tensor<1x1x!qnn.bipolar> -> tensor<1x1xsi3>
  func.return %b : tensor<1x1xsi3>
}
