// RUN: qopt %s | qopt | filecheck %s

// CHECK-LABEL: func.func @main
func.func @main(%q: tensor<1x4xsi3>) -> tensor<1x2xsi6> {
  // CHECK: qnn.call @core(%q) : (tensor<1x4xsi3>) -> tensor<1x2xsi6>
  %c = qnn.call @core(%q) : (tensor<1x4xsi3>) -> tensor<1x2xsi6>
  func.return %c : tensor<1x2xsi6>
}

// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x4xsi3>) -> tensor<1x2xsi6> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  // CHECK: qnn.matmul %q, %w : tensor<1x4xsi3>, tensor<2x4x!qnn.bipolar> -> tensor<1x2xsi6>
  %a = qnn.matmul %q, %w : tensor<1x4xsi3>, tensor<2x4x!qnn.bipolar> -> tensor<1x2xsi6>
  func.return %a : tensor<1x2xsi6>
}

// CHECK-LABEL: func.func @activations
func.func @activations(%a: tensor<1x2xsi6>) -> tensor<1x2x!qnn.bipolar> {
  %t = qnn.constant <tensor<2x1xsi6>, [1, 2]>
  %f = qnn.constant <tensor<2xui1>, [1, 0]>
  // CHECK: qnn.threshold %a, %t falling %f : tensor<2xui1> offset 0 axis 1 : tensor<1x2xsi6>, tensor<2x1xsi6> -> tensor<1x2x!qnn.bipolar>
  %0 = qnn.threshold %a, %t falling %f : tensor<2xui1> offset 0 axis 1 : tensor<1x2xsi6>, tensor<2x1xsi6> -> tensor<1x2x!qnn.bipolar>
  %u = qnn.constant <tensor<2x2xsi6>, [1, 2, -1, 3]>
  // CHECK: qnn.threshold %a, %u offset -1 axis 1 : tensor<1x2xsi6>, tensor<2x2xsi6> -> tensor<1x2x!qnn.ternary>
  %1 = qnn.threshold %a, %u offset -1 axis 1 : tensor<1x2xsi6>, tensor<2x2xsi6> -> tensor<1x2x!qnn.ternary>
  %l = qnn.constant <tensor<2x3xui2>, [0, 3, 1, 2, 0, 2]>
  // CHECK: qnn.lookup %1, %l low -1 axis 1 : tensor<1x2x!qnn.ternary>, tensor<2x3xui2> -> tensor<1x2xui2>
  %2 = qnn.lookup %1, %l low -1 axis 1 : tensor<1x2x!qnn.ternary>, tensor<2x3xui2> -> tensor<1x2xui2>
  // CHECK: qnn.topk %a axis 1 : tensor<1x2xsi6> -> tensor<1x1xsi6>, tensor<1x1xui1>
  %v, %i = qnn.topk %a axis 1 : tensor<1x2xsi6> -> tensor<1x1xsi6>, tensor<1x1xui1>
  func.return %0 : tensor<1x2x!qnn.bipolar>
}

// CHECK-LABEL: func.func @packed
func.func @packed(%b: tensor<1x70x!qnn.bipolar>, %w: !qnn.packed<tensor<4x70x!qnn.ternary>, word 32, panel 2>) -> tensor<1x4xsi8> {
  // CHECK: qnn.pack %b : tensor<1x70x!qnn.bipolar> -> !qnn.packed<tensor<1x70x!qnn.bipolar>, word 32>
  %p = qnn.pack %b : tensor<1x70x!qnn.bipolar> -> !qnn.packed<tensor<1x70x!qnn.bipolar>, word 32>
  // CHECK: qnn.packed_matmul %p, %w : !qnn.packed<tensor<1x70x!qnn.bipolar>, word 32>, !qnn.packed<tensor<4x70x!qnn.ternary>, word 32, panel 2> -> tensor<1x4xsi8>
  %a = qnn.packed_matmul %p, %w : !qnn.packed<tensor<1x70x!qnn.bipolar>, word 32>, !qnn.packed<tensor<4x70x!qnn.ternary>, word 32, panel 2> -> tensor<1x4xsi8>
  // CHECK: qnn.unpack %p : !qnn.packed<tensor<1x70x!qnn.bipolar>, word 32> -> tensor<1x70x!qnn.bipolar>
  %u = qnn.unpack %p : !qnn.packed<tensor<1x70x!qnn.bipolar>, word 32> -> tensor<1x70x!qnn.bipolar>
  func.return %a : tensor<1x4xsi8>
}
