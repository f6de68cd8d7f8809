// RUN: qopt %s -p choose-layout | filecheck %s
// RUN: qopt %s -p choose-layout --print-debuginfo | filecheck %s --check-prefix=NAMED

// CHECK: qnn.weight @w_last = <tensor<2x2x1x2xsi4>, [1, 3, 2, 4, 5, 7, 6, -8]>
qnn.weight @w = <tensor<2x2x2x1xsi4>, [1, 2, 3, 4, 5, 6, 7, -8]>

// The map is turned once, where it enters; the product's columns take the new order.
// CHECK-LABEL: func.func @net
func.func @net(%x: tensor<1x2x3x2xui3>) -> tensor<1x2xsi9> {
  // CHECK-NEXT: [[X:%.*]] = qnn.transpose %x perm [0, 2, 3, 1] : tensor<1x2x3x2xui3> -> tensor<1x3x2x2xui3>
  %w = qnn.load @w : tensor<2x2x2x1xsi4>
  // CHECK: qnn.load @w_last : tensor<2x2x1x2xsi4>
  // CHECK: [[C:%.*]] = qnn.conv [[X]], {{%.*}} strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 channels_last : tensor<1x3x2x2xui3>, tensor<2x2x1x2xsi4> -> tensor<1x2x2x2xsi9>
  %c = qnn.conv %x, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x2x3x2xui3>, tensor<2x2x2x1xsi4> -> tensor<1x2x2x2xsi9>
  %t = qnn.constant <tensor<2x1xsi9>, [1, 2]>
  // CHECK: [[T:%.*]] = qnn.threshold [[C]], {{%.*}} offset 0 axis 3
  %q = qnn.threshold %c, %t offset 0 axis 1 : tensor<1x2x2x2xsi9>, tensor<2x1xsi9> -> tensor<1x2x2x2xui1>
  // CHECK: [[F:%.*]] = qnn.reshape [[T]] : tensor<1x2x2x2xui1> -> tensor<1x8xui1>
  %f = qnn.reshape %q : tensor<1x2x2x2xui1> -> tensor<1x8xui1>
  %m = qnn.constant <tensor<2x8xsi5>, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]>
  // CHECK: [[M:%.*]] = qnn.constant <tensor<2x8xsi5>, [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]>
  // CHECK: qnn.matmul [[F]], [[M]]
  %r = qnn.matmul %f, %m : tensor<1x8xui1>, tensor<2x8xsi5> -> tensor<1x2xsi9>
  func.return %r : tensor<1x2xsi9>
}

// Transposes of a channels-last network cancel.
// CHECK-LABEL: func.func @cancels
func.func @cancels(%x: tensor<1x4x2xui3>) -> tensor<1x2x2xui3> {
  // CHECK-NOT: qnn.transpose
  %a = qnn.transpose %x perm [0, 2, 1] : tensor<1x4x2xui3> -> tensor<1x2x4xui3>
  // CHECK: qnn.max_pool %x kernel [2] strides [2] pads [0, 0] dilations [1] channels_last : tensor<1x4x2xui3> -> tensor<1x2x2xui3>
  %p = qnn.max_pool %a kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xui3> -> tensor<1x2x2xui3>
  %b = qnn.transpose %p perm [0, 2, 1] : tensor<1x2x2xui3> -> tensor<1x2x2xui3>
  // CHECK: func.return
  func.return %b : tensor<1x2x2xui3>
}

// Two that undo each other are no reason to go back to the old layout.
// CHECK-LABEL: func.func @undone
func.func @undone(%x: tensor<1x2x4xui3>) -> tensor<1x4xui1> {
  // CHECK: [[X:%.*]] = qnn.transpose %x perm [0, 2, 1]
  // CHECK: [[P:%.*]] = qnn.max_pool [[X]] {{.*}} channels_last : tensor<1x4x2xui3> -> tensor<1x2x2xui3>
  %p = qnn.max_pool %x kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xui3> -> tensor<1x2x2xui3>
  %a = qnn.transpose %p perm [0, 2, 1] : tensor<1x2x2xui3> -> tensor<1x2x2xui3>
  %b = qnn.transpose %a perm [0, 2, 1] : tensor<1x2x2xui3> -> tensor<1x2x2xui3>
  %t = qnn.constant <tensor<2x1xui3>, [1, 2]>
  // CHECK-NOT: qnn.transpose
  // CHECK: qnn.threshold [[P]], {{%.*}} offset 0 axis 2
  %q = qnn.threshold %b, %t offset 0 axis 1 : tensor<1x2x2xui3>, tensor<2x1xui3> -> tensor<1x2x2xui1>
  %r = qnn.reshape %q : tensor<1x2x2xui1> -> tensor<1x4xui1>
  func.return %r : tensor<1x4xui1>
}

// One form for two readers; what follows a turned map is turned with it.
// CHECK-LABEL: func.func @branches
func.func @branches(%x: tensor<1x2x4xui3>) -> tensor<1x4x4xsi5> {
  // CHECK: [[X:%.*]] = qnn.transpose %x
  // CHECK: [[A:%.*]] = qnn.max_pool [[X]]
  %a = qnn.max_pool %x kernel [1] strides [1] pads [0, 0] dilations [1] : tensor<1x2x4xui3> -> tensor<1x2x4xui3>
  // CHECK: [[S:%.*]] = qnn.add [[A]], [[X]] : tensor<1x4x2xui3>, tensor<1x4x2xui3> -> tensor<1x4x2xsi5>
  %s = qnn.add %a, %x : tensor<1x2x4xui3>, tensor<1x2x4xui3> -> tensor<1x2x4xsi5>
  // CHECK: [[C:%.*]] = qnn.concat [[S]], [[S]] axis 2
  %c = qnn.concat %s, %s axis 1 : tensor<1x2x4xsi5>, tensor<1x2x4xsi5> -> tensor<1x4x4xsi5>
  // CHECK: [[B:%.*]] = qnn.transpose [[C]] perm [0, 2, 1]
  // CHECK: func.return [[B]]
  func.return %c : tensor<1x4x4xsi5>
}

// Thresholds of the elements of a flattened map follow its new order.
// CHECK-LABEL: func.func @elements
func.func @elements(%x: tensor<1x2x2xui3>) -> tensor<1x1xsi4> {
  // CHECK: [[T:%.*]] = qnn.constant <tensor<4x1xui3>, [1, 3, 2, 4]>
  %t = qnn.constant <tensor<4x1xui3>, [1, 2, 3, 4]>
  // CHECK: [[W:%.*]] = qnn.constant <tensor<1x4xsi3>, [1, 3, 2, -4]>
  %w = qnn.constant <tensor<1x4xsi3>, [1, 2, 3, -4]>
  // CHECK: [[P:%.*]] = qnn.max_pool
  %p = qnn.max_pool %x kernel [1] strides [1] pads [0, 0] dilations [1] : tensor<1x2x2xui3> -> tensor<1x2x2xui3>
  // CHECK: [[R:%.*]] = qnn.reshape [[P]]
  %r = qnn.reshape %p : tensor<1x2x2xui3> -> tensor<1x4xui3>
  // CHECK: [[A:%.*]] = qnn.threshold [[R]], [[T]] offset 0 axis 1
  %a = qnn.threshold %r, %t offset 0 axis 1 : tensor<1x4xui3>, tensor<4x1xui3> -> tensor<1x4xui1>
  // CHECK: qnn.matmul [[A]], [[W]]
  %m = qnn.matmul %a, %w : tensor<1x4xui1>, tensor<1x4xsi3> -> tensor<1x1xsi4>
  func.return %m : tensor<1x1xsi4>
}

// A map that is flattened into a part of a longer vector.
// CHECK-LABEL: func.func @part
func.func @part(%x: tensor<1x2x2xui3>, %y: tensor<1x1xui3>) -> tensor<1x1xsi8> {
  // CHECK: [[W:%.*]] = qnn.constant <tensor<1x5xsi4>, [5, 1, 3, 2, -4]>
  %w = qnn.constant <tensor<1x5xsi4>, [5, 1, 2, 3, -4]>
  // CHECK: [[P:%.*]] = qnn.max_pool
  %p = qnn.max_pool %x kernel [1] strides [1] pads [0, 0] dilations [1] : tensor<1x2x2xui3> -> tensor<1x2x2xui3>
  // CHECK: [[R:%.*]] = qnn.reshape [[P]]
  %r = qnn.reshape %p : tensor<1x2x2xui3> -> tensor<1x4xui3>
  // CHECK: [[C:%.*]] = qnn.concat %y, [[R]] axis 1
  %c = qnn.concat %y, %r axis 1 : tensor<1x1xui3>, tensor<1x4xui3> -> tensor<1x5xui3>
  // CHECK: qnn.matmul [[C]], [[W]]
  %m = qnn.matmul %c, %w : tensor<1x5xui3>, tensor<1x5xsi4> -> tensor<1x1xsi8>
  func.return %m : tensor<1x1xsi8>
}

// A top-k of the channels takes the last axis; one index a place is in order already.
// CHECK-LABEL: func.func @selects
func.func @selects(%x: tensor<1x3x4xui3>) -> (tensor<1x1x4xui2>, tensor<1x2x4xui3>) {
  // CHECK: [[P:%.*]] = qnn.max_pool
  %p = qnn.max_pool %x kernel [1] strides [1] pads [0, 0] dilations [1] : tensor<1x3x4xui3> -> tensor<1x3x4xui3>
  // CHECK: {{%.*}}, [[A:%.*]] = qnn.topk [[P]] axis 2 : tensor<1x4x3xui3> -> tensor<1x4x1xui3>, tensor<1x4x1xui2>
  // CHECK: [[M:%.*]] = qnn.reshape [[A]] : tensor<1x4x1xui2> -> tensor<1x1x4xui2>
  %v, %a = qnn.topk %p axis 1 : tensor<1x3x4xui3> -> tensor<1x1x4xui3>, tensor<1x1x4xui2>
  // CHECK: [[B:%.*]], {{%.*}} = qnn.topk [[P]] axis 2 smallest : tensor<1x4x3xui3> -> tensor<1x4x2xui3>, tensor<1x4x2xui2>
  // CHECK: [[L:%.*]] = qnn.transpose [[B]] perm [0, 2, 1] : tensor<1x4x2xui3> -> tensor<1x2x4xui3>
  %b, %i = qnn.topk %p axis 1 smallest : tensor<1x3x4xui3> -> tensor<1x2x4xui3>, tensor<1x2x4xui2>
  // CHECK: func.return [[M]], [[L]]
  func.return %a, %b : tensor<1x1x4xui2>, tensor<1x2x4xui3>
}

// A map is turned back for the node that asks for it, which a refusal then names.
// CHECK-LABEL: func.func @shuffles
func.func @shuffles(%x: tensor<1x4x2xui3>) -> tensor<1x2x2x2xui3> {
  %p = qnn.max_pool %x kernel [1] strides [1] pads [0, 0] dilations [1] : tensor<1x4x2xui3> -> tensor<1x4x2xui3> loc("pool")
  // CHECK: [[P:%.*]] = qnn.max_pool
  // CHECK: [[B:%.*]] = qnn.transpose [[P]] perm [0, 2, 1]
  // CHECK: qnn.reshape [[B]]
  // NAMED: qnn.max_pool {{.*}} loc("pool")
  // NAMED-NEXT: qnn.transpose {{.*}} loc("shuffle")
  %r = qnn.reshape %p : tensor<1x4x2xui3> -> tensor<1x2x2x2xui3> loc("shuffle")
  func.return %r : tensor<1x2x2x2xui3>
}
