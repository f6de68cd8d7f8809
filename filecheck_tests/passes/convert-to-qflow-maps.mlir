// RUN: qopt %s --split-input-file --verify-diagnostics -p convert-to-qflow | filecheck %s

// A convolution of bipolar maps, padded with zeros that come in as -1: the bias of each
// place takes them back out. Its threshold goes into the product.
// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x3x1x!qnn.bipolar>) -> tensor<1x3x2x!qnn.bipolar> {
  %w = qnn.constant <tensor<2x3x1x!qnn.bipolar>, [1, -1, 1, -1, -1, 1]>
  %t = qnn.constant <tensor<2x1xsi3>, [1, 0]>
  // CHECK-DAG: %[[W:.*]] = qnn.constant <tensor<2x3x!qnn.bipolar>, [1, -1, 1, -1, -1, 1]>
  // CHECK-DAG: %[[B:.*]] = qnn.constant <tensor<1x3x2xsi2>, [1, -1, 1, 1, 0, 0]>
  // CHECK: %[[S:.*]] = qflow.swu %q kernel [3] strides [1] pads [1, 1] dilations [1]
  // CHECK-SAME: -> !qflow.stream<tensor<1x3x3x!qnn.bipolar> by 1>
  // CHECK-NEXT: %[[Y:.*]] = qflow.mvu %[[S]], %[[W]] bias %[[B]] : tensor<1x3x2xsi2> columns [0, 2, 1] thresholds %t : tensor<2x1xsi3> accumulator si3 offset 0
  // CHECK-NEXT: func.return %[[Y]]
  %a = qnn.conv %q, %w strides [1] pads [1, 1] dilations [1] groups 1 channels_last : tensor<1x3x1x!qnn.bipolar>, tensor<2x3x1x!qnn.bipolar> -> tensor<1x3x2xsi3>
  %b = qnn.threshold %a, %t offset 0 axis 2 : tensor<1x3x2xsi3>, tensor<2x1xsi3> -> tensor<1x3x2x!qnn.bipolar>
  func.return %b : tensor<1x3x2x!qnn.bipolar>
}

// -----

// Groups have vectors of their own; thresholds reach the product past the reshape.
// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x3x4xsi3>) -> tensor<1x2x4xui1> {
  %w = qnn.constant <tensor<4x2x2xsi2>, [1, 0, 1, -1, 1, 1, 0, 0, -1, 1, 1, 0, 1, 1, 1, 1]>
  %t = qnn.constant <tensor<4x1xsi3>, [1, 2, 0, -1]>
  // CHECK: %[[S:.*]] = qflow.swu %q {{.*}} groups 2 : {{.*}} -> !qflow.stream<tensor<1x2x2x4xsi3> by 1>
  // CHECK-NEXT: %[[Y:.*]] = qflow.mvu %[[S]], %{{.*}} groups 2 thresholds %t : tensor<4x1xsi3> accumulator si6 offset 0 : {{.*}} -> !qflow.stream<tensor<1x2x2x2xui1> by 1>
  // CHECK-NEXT: qflow.reshape %[[Y]] : {{.*}} -> !qflow.stream<tensor<1x2x4xui1> by 1>
  %a = qnn.conv %q, %w strides [1] pads [0, 0] dilations [1] groups 2 channels_last : tensor<1x3x4xsi3>, tensor<4x2x2xsi2> -> tensor<1x2x4xsi6>
  %b = qnn.threshold %a, %t offset 0 axis 2 : tensor<1x2x4xsi6>, tensor<4x1xsi3> -> tensor<1x2x4xui1>
  func.return %b : tensor<1x2x4xui1>
}

// -----

// A depthwise convolution of a stretched map: its zeros are put there first.
// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x3x2xsi3>) -> tensor<1x4x2xsi5> {
  %w = qnn.constant <tensor<2x2x1xsi2>, [1, -1, 1, 1]>
  // CHECK: %[[P:.*]] = qflow.pad %q value 0 pads [0, 0] stretch [2] : {{.*}} -> !qflow.stream<tensor<1x5x2xsi3> by 1>
  // CHECK-NEXT: qflow.vvu %[[P]], %{{.*}} kernel [2] {{.*}} pads [0, 0]
  %a = qnn.conv %q, %w strides [1] pads [0, 0] dilations [1] stretch [2] groups 2 channels_last : tensor<1x3x2xsi3>, tensor<2x2x1xsi2> -> tensor<1x4x2xsi5>
  func.return %a : tensor<1x4x2xsi5>
}

// -----

// A residual sum: factors and constants are those of one unit.
// CHECK-LABEL: func.func @core
func.func @core(%p: tensor<1x2x2xsi3>, %q: tensor<1x2x2xsi3>) -> tensor<1x2x2xsi8> {
  %three = qnn.constant <tensor<si3>, [3]>
  %row = qnn.constant <tensor<2xsi3>, [1, -2]>
  // CHECK-DAG: %[[F:.*]] = qnn.constant <tensor<2x2xsi3>, [3, 3, -1, -1]>
  // CHECK-DAG: %[[B:.*]] = qnn.constant <tensor<2xsi3>, [-1, 2]>
  // CHECK: qflow.add %p, %q factors %[[F]] : tensor<2x2xsi3> bias %[[B]] : tensor<2xsi3>
  // CHECK-NEXT: func.return
  %a = qnn.mul %p, %three : tensor<1x2x2xsi3>, tensor<si3> -> tensor<1x2x2xsi5>
  %b = qnn.add %q, %row : tensor<1x2x2xsi3>, tensor<2xsi3> -> tensor<1x2x2xsi4>
  %c = qnn.sub %a, %b : tensor<1x2x2xsi5>, tensor<1x2x2xsi4> -> tensor<1x2x2xsi8>
  func.return %c : tensor<1x2x2xsi8>
}

// -----

// A constant that is added to returned sums is a bias; a flattened map is a longer vector.
// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x2x2xsi3>) -> tensor<1x1xsi8> {
  %w = qnn.constant <tensor<1x4xsi3>, [1, -2, 3, 1]>
  %c = qnn.constant <tensor<1xsi3>, [3]>
  // CHECK: %[[R:.*]] = qflow.reshape %q : {{.*}} -> !qflow.stream<tensor<1x4xsi3> by 1>
  // CHECK: %[[B:.*]] = qnn.constant <tensor<1x1x1xui2>, [3]>
  // CHECK: qflow.mvu %[[R]], %w bias %[[B]] : tensor<1x1x1xui2> accumulator si8
  %f = qnn.reshape %q : tensor<1x2x2xsi3> -> tensor<1x4xsi3>
  %a = qnn.matmul %f, %w : tensor<1x4xsi3>, tensor<1x4xsi3> -> tensor<1x1xsi7>
  %b = qnn.add %a, %c : tensor<1x1xsi7>, tensor<1xsi3> -> tensor<1x1xsi8>
  func.return %b : tensor<1x1xsi8>
}

// -----

// CHECK: convert-to-qflow: qnn.max_pool (node 'pool'): its maps are channels first; run choose-layout first
func.func @core(%q: tensor<1x2x4xsi3>) -> tensor<1x2x2xsi3> {
  %0 = qnn.max_pool %q kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xsi3> -> tensor<1x2x2xsi3> loc("pool")
  func.return %0 : tensor<1x2x2xsi3>
}

// -----

// CHECK: convert-to-qflow: qnn.conv (node 'dynamic'): its weights are computed; accepted are constant weights
func.func @core(%q: tensor<1x4x1xsi3>, %w: tensor<1x2x1xsi3>) -> tensor<1x3x1xsi8> {
  %0 = qnn.conv %q, %w strides [1] pads [0, 0] dilations [1] groups 1 channels_last : tensor<1x4x1xsi3>, tensor<1x2x1xsi3> -> tensor<1x3x1xsi8> loc("dynamic")
  func.return %0 : tensor<1x3x1xsi8>
}

// -----

// CHECK: convert-to-qflow: qnn.concat (node 'join'): it reads a constant as a stream
func.func @core(%q: tensor<1x2xsi3>) -> tensor<1x4xsi3> {
  %c = qnn.constant <tensor<1x2xsi3>, [1, 2]>
  %0 = qnn.concat %q, %c axis 1 : tensor<1x2xsi3>, tensor<1x2xsi3> -> tensor<1x4xsi3> loc("join")
  func.return %0 : tensor<1x4xsi3>
}
