// RUN: qopt %s --split-input-file --verify-diagnostics -p convert-to-qflow | filecheck %s

// A product and the only threshold that reads it are one unit; the call stays.
// CHECK-LABEL: func.func @main
// CHECK: qnn.call @core(%q) : (tensor<1x4xsi3>) -> tensor<1x2x!qnn.bipolar>
func.func @main(%q: tensor<1x4xsi3>) -> tensor<1x2x!qnn.bipolar> {
  %r = qnn.call @core(%q) : (tensor<1x4xsi3>) -> tensor<1x2x!qnn.bipolar>
  func.return %r : tensor<1x2x!qnn.bipolar>
}
// CHECK-LABEL: func.func @core
// CHECK-SAME: (%q: !qflow.stream<tensor<1x4xsi3> by 1>) -> !qflow.stream<tensor<1x2x!qnn.bipolar> by 1>
func.func @core(%q: tensor<1x4xsi3>) -> tensor<1x2x!qnn.bipolar> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  %t = qnn.constant <tensor<2x1xsi6>, [1, 2]>
  // CHECK: %[[B:.*]] = qflow.mvu %q, %w thresholds %t : tensor<2x1xsi6> accumulator si6 offset 0
  // CHECK-NEXT: func.return %[[B]]
  %a = qnn.matmul %q, %w : tensor<1x4xsi3>, tensor<2x4x!qnn.bipolar> -> tensor<1x2xsi6>
  %b = qnn.threshold %a, %t offset 0 axis 1 : tensor<1x2xsi6>, tensor<2x1xsi6> -> tensor<1x2x!qnn.bipolar>
  func.return %b : tensor<1x2x!qnn.bipolar>
}

// -----

// Sums that something else reads too are forked, and the threshold is a unit of its own.
// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x2xsi3>) -> (tensor<1x2x!qnn.bipolar>, tensor<1x2xsi5>) {
  %w = qnn.constant <tensor<2x2x!qnn.bipolar>, [1, -1, 1, 1]>
  %t = qnn.constant <tensor<2x1xsi5>, [1, 2]>
  // CHECK: %[[A:.*]] = qflow.mvu %q, %w accumulator si5
  // CHECK: %[[F:.*]], %[[G:.*]] = qflow.fork %[[A]]
  // CHECK: qflow.threshold %{{.*}}, %t
  %a = qnn.matmul %q, %w : tensor<1x2xsi3>, tensor<2x2x!qnn.bipolar> -> tensor<1x2xsi5>
  %b = qnn.threshold %a, %t offset 0 axis 1 : tensor<1x2xsi5>, tensor<2x1xsi5> -> tensor<1x2x!qnn.bipolar>
  func.return %b, %a : tensor<1x2x!qnn.bipolar>, tensor<1x2xsi5>
}

// -----

// CHECK: convert-to-qflow: qnn.transpose (node 'turn')
func.func @core(%q: tensor<1x2x3xsi3>) -> tensor<1x3x2xsi3> {
  %0 = qnn.transpose %q perm [0, 2, 1] : tensor<1x2x3xsi3> -> tensor<1x3x2xsi3> loc("turn")
  func.return %0 : tensor<1x3x2xsi3>
}
