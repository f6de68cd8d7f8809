// RUN: qopt %s --split-input-file --verify-diagnostics -p 'bitpack{max-popcounts=8}' | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'bitpack{word-bits=8 panel=2 max-popcounts=24}' | filecheck %s --check-prefix=BYTES
// RUN: not qopt %s --split-input-file -p 'bitpack{word-bits=24}' 2>&1 | filecheck %s --check-prefix=WORD
// RUN: not qopt %s --split-input-file -p 'bitpack{panel=0}' 2>&1 | filecheck %s --check-prefix=PANEL

// WORD: bitpack: word-bits must be 8, 16, 32 or 64, got 24
// PANEL: bitpack: panel must be 1 or more, got 0

// Packed from end to end; the symbol that nothing reads any more goes.
// CHECK-LABEL: func.func @layers
func.func @layers(%q: tensor<1x3x!qnn.bipolar>) -> tensor<1x1xsi3> {
  // CHECK: %[[Q:.*]] = qnn.pack %{{.*}} : tensor<1x3x!qnn.bipolar> -> !qnn.packed<tensor<1x3x!qnn.bipolar>, word 64>
  // CHECK: %[[W:.*]] = qnn.load @first_packed : !qnn.packed<tensor<2x3x!qnn.bipolar>, word 64, panel 2>
  // CHECK: %[[A:.*]] = qnn.packed_matmul %[[Q]], %[[W]]
  // CHECK-SAME: -> tensor<1x2xsi3>
  // CHECK: %[[T:.*]] = qnn.threshold %[[A]]
  // CHECK: %[[P:.*]] = qnn.pack %[[T]] : tensor<1x2xui2> -> !qnn.packed<tensor<1x2xui2>, word 64>
  // CHECK: qnn.packed_matmul %[[P]]
  // BYTES-LABEL: func.func @layers
  // BYTES: qnn.pack %{{.*}} word 8>
  // BYTES: qnn.load @first_packed : !qnn.packed<tensor<2x3x!qnn.bipolar>, word 8, panel 2>
  %w = qnn.load @first : tensor<2x3x!qnn.bipolar>
  %0 = qnn.matmul %q, %w : tensor<1x3x!qnn.bipolar>, tensor<2x3x!qnn.bipolar> -> tensor<1x2xsi3>
  %t = qnn.constant <tensor<2x3xsi3>, [-1, 0, 1, -1, 1, 2]>
  %1 = qnn.threshold %0, %t offset 0 axis 1 : tensor<1x2xsi3>, tensor<2x3xsi3> -> tensor<1x2xui2>
  %v = qnn.constant <tensor<1x2xsi2>, [1, -1]>
  %2 = qnn.matmul %1, %v : tensor<1x2xui2>, tensor<1x2xsi2> -> tensor<1x1xsi3>
  func.return %2 : tensor<1x1xsi3>
}
// CHECK-NOT: qnn.weight @first =
// The planes of the two rows side by side: 101 and 011, lowest column first.
// CHECK: qnn.weight @first_packed = <tensor<1x1x1x2xui64>, [5, 6]>
// Values of +1 and -1 alone need no more than a plane.
// CHECK: qnn.weight @weights_packed = <tensor<1x1x1xui64>, [1]>
// BYTES: qnn.weight @first_packed = <tensor<1x1x1x2xui8>, [5, 6]>
qnn.weight @first = <tensor<2x3x!qnn.bipolar>, [1, -1, 1, -1, 1, 1]>

// -----

// 24 popcounts a word cost more than 64 multiplications.
// CHECK-LABEL: func.func @left
// CHECK: qnn.matmul %q, %w
// BYTES-LABEL: func.func @left
// BYTES: qnn.packed_matmul
func.func @left(%q: tensor<1x3xui8>) -> tensor<1x1xsi12> {
  %w = qnn.constant <tensor<1x3xsi3>, [3, -4, 0]>
  %0 = qnn.matmul %q, %w : tensor<1x3xui8>, tensor<1x3xsi3> -> tensor<1x1xsi12>
  func.return %0 : tensor<1x1xsi12>
}

// -----

// Real products are no business of this pass.
// CHECK-LABEL: func.func @real
// CHECK: qnn.matmul
func.func @real(%q: tensor<1x2xf32>, %w: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %0 = qnn.matmul %q, %w : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %0 : tensor<1x1xf32>
}

// -----

// CHECK-LABEL: func.func @cancelled
// CHECK-NEXT: func.return %q
func.func @cancelled(%q: tensor<1x3xui2>) -> tensor<1x3xui2> {
  %0 = qnn.pack %q : tensor<1x3xui2> -> !qnn.packed<tensor<1x3xui2>, word 32>
  %1 = qnn.unpack %0 : !qnn.packed<tensor<1x3xui2>, word 32> -> tensor<1x3xui2>
  func.return %1 : tensor<1x3xui2>
}
