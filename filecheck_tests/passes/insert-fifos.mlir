// RUN: qopt %s -p insert-fifos | filecheck %s

// Between two units, none at the ends.
// CHECK-LABEL: func.func @core
func.func @core(%q: !qflow.stream<tensor<1x4xsi3> by 2>) -> !qflow.stream<tensor<1x2xsi6> by 1> {
  %w = qnn.constant <tensor<4x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1, 1, -1, 1, -1, 1, 1, -1, -1]>
  %v = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  %t = qnn.constant <tensor<4x1xsi6>, [1, 2, 0, 0]>
  // CHECK: %[[A:.*]] = qflow.mvu %q, %w
  // CHECK-NEXT: %[[F:.*]] = qflow.fifo %[[A]] depth {{[0-9]+}} : !qflow.stream<tensor<1x4x!qnn.bipolar> by 1>
  // CHECK-NEXT: %[[B:.*]] = qflow.mvu %[[F]], %v
  // CHECK-NEXT: func.return %[[B]]
  %a = qflow.mvu %q, %w thresholds %t : tensor<4x1xsi6> accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<4x4x!qnn.bipolar> -> !qflow.stream<tensor<1x4x!qnn.bipolar> by 1>
  %b = qflow.mvu %a, %v accumulator si6 offset 0 : !qflow.stream<tensor<1x4x!qnn.bipolar> by 1>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return %b : !qflow.stream<tensor<1x2xsi6> by 1>
}
