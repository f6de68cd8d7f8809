// RUN: qopt %s --split-input-file --verify-diagnostics -p 'bitpack{max-popcounts=8}' | filecheck %s

// Packed from map to vector: convolution, pool and flattening of whole words.
// CHECK-LABEL: func.func @maps
func.func @maps(%q: tensor<1x4x4x64x!qnn.bipolar>) -> tensor<1x1xsi8> {
  // CHECK: [[Q:%.*]] = qnn.pack %q : tensor<1x4x4x64x!qnn.bipolar> -> !qnn.packed<tensor<1x4x4x64x!qnn.bipolar>, word 64>
  // CHECK: [[W:%.*]] = qnn.load @weights_packed : !qnn.packed<tensor<1x1x1x64x!qnn.bipolar>, word 64>
  // CHECK: [[C:%.*]] = qnn.packed_conv [[Q]], [[W]] strides [1, 2] pads [0, 1, 0, 1] dilations [1, 1] : {{.*}} -> tensor<1x4x3x1xsi8>
  %w = qnn.constant <tensor<1x1x1x64x!qnn.bipolar>, "0000000000000000">
  %c = qnn.conv %q, %w strides [1, 2] pads [0, 1, 0, 1] dilations [1, 1] groups 1 channels_last : tensor<1x4x4x64x!qnn.bipolar>, tensor<1x1x1x64x!qnn.bipolar> -> tensor<1x4x3x1xsi8>
  // CHECK: [[P:%.*]] = qnn.packed_max_pool [[Q]] kernel [4, 2] strides [4, 2] pads [0, 0, 0, 0] dilations [1, 1] : !qnn.packed<tensor<1x4x4x64x!qnn.bipolar>, word 64> -> !qnn.packed<tensor<1x1x2x64x!qnn.bipolar>, word 64>
  // CHECK: [[F:%.*]] = qnn.packed_reshape [[P]] : !qnn.packed<tensor<1x1x2x64x!qnn.bipolar>, word 64> -> !qnn.packed<tensor<1x128x!qnn.bipolar>, word 64>
  // CHECK: qnn.packed_matmul [[F]]
  %p = qnn.max_pool %q kernel [4, 2] strides [4, 2] pads [0, 0, 0, 0] dilations [1, 1] channels_last : tensor<1x4x4x64x!qnn.bipolar> -> tensor<1x1x2x64x!qnn.bipolar>
  %f = qnn.reshape %p : tensor<1x1x2x64x!qnn.bipolar> -> tensor<1x128x!qnn.bipolar>
  %v = qnn.constant <tensor<1x128x!qnn.bipolar>, "00000000000000000000000000000000">
  %m = qnn.matmul %f, %v : tensor<1x128x!qnn.bipolar>, tensor<1x128x!qnn.bipolar> -> tensor<1x1xsi9>
  %u = qnn.reshape %c : tensor<1x4x3x1xsi8> -> tensor<1x12xsi8>
  // CHECK: return
  %t = qnn.constant <tensor<1x12xsi2>, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1]>
  %s = qnn.matmul %u, %t : tensor<1x12xsi8>, tensor<1x12xsi2> -> tensor<1x1xsi9>
  %z = qnn.constant <tensor<1x2xsi8>, [-1, 1]>
  %r = qnn.threshold %s, %z offset 0 axis 1 : tensor<1x1xsi9>, tensor<1x2xsi8> -> tensor<1x1xsi8>
  func.return %r : tensor<1x1xsi8>
}

// -----

// A pixel of 3 channels leaves most of its word empty: multiplications are fewer.
// CHECK-LABEL: func.func @few_channels
// CHECK: qnn.conv %q, %w
func.func @few_channels(%q: tensor<1x4x3x!qnn.bipolar>) -> tensor<1x4x1xsi3> {
  %w = qnn.constant <tensor<1x1x3x!qnn.bipolar>, [1, -1, 1]>
  %0 = qnn.conv %q, %w strides [1] pads [0, 0] dilations [1] groups 1 channels_last : tensor<1x4x3x!qnn.bipolar>, tensor<1x1x3x!qnn.bipolar> -> tensor<1x4x1xsi3>
  func.return %0 : tensor<1x4x1xsi3>
}

// -----

// The channels of a group do not begin at a word.
// CHECK-LABEL: func.func @groups
// CHECK: qnn.conv %q, %w
func.func @groups(%q: tensor<1x4x16x!qnn.bipolar>) -> tensor<1x4x2xsi5> {
  %w = qnn.constant <tensor<2x1x8x!qnn.bipolar>, [1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, 1, 1, 1, 1]>
  %0 = qnn.conv %q, %w strides [1] pads [0, 0] dilations [1] groups 2 channels_last : tensor<1x4x16x!qnn.bipolar>, tensor<2x1x8x!qnn.bipolar> -> tensor<1x4x2xsi5>
  func.return %0 : tensor<1x4x2xsi5>
}
