// RUN: qopt %s | qopt | filecheck %s

// CHECK-LABEL: func.func @core
func.func @core(%q: !qflow.stream<tensor<1x4xsi3> by 2>) -> !qflow.stream<tensor<1x1xui1> by 1> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  %t = qnn.constant <tensor<2x1xsi6>, [1, 2]>
  %f = qnn.constant <tensor<2xui1>, [0, 1]>
  // CHECK: qflow.fifo %q depth 4 : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi3> by 2>
  %0 = qflow.fifo %q depth 4 : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi3> by 2>
  // CHECK: qflow.fork %0 : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi3> by 2>, !qflow.stream<tensor<1x4xsi3> by 2>
  %1, %2 = qflow.fork %0 : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi3> by 2>, !qflow.stream<tensor<1x4xsi3> by 2>
  // CHECK: qflow.mvu %1, %w thresholds %t : tensor<2x1xsi6> falling %f : tensor<2xui1> accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2x!qnn.bipolar> by 1>
  %3 = qflow.mvu %1, %w thresholds %t : tensor<2x1xsi6> falling %f : tensor<2xui1> accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2x!qnn.bipolar> by 1>
  // CHECK: qflow.mvu %2, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 1>
  %4 = qflow.mvu %2, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 1>
  // CHECK: qflow.dwc %4 : !qflow.stream<tensor<1x2xsi6> by 1> -> !qflow.stream<tensor<1x2xsi6> by 2>
  %5 = qflow.dwc %4 : !qflow.stream<tensor<1x2xsi6> by 1> -> !qflow.stream<tensor<1x2xsi6> by 2>
  // CHECK: qflow.threshold %5, %t offset 0 : !qflow.stream<tensor<1x2xsi6> by 2>, tensor<2x1xsi6> -> !qflow.stream<tensor<1x2xui1> by 2>
  %6 = qflow.threshold %5, %t offset 0 : !qflow.stream<tensor<1x2xsi6> by 2>, tensor<2x1xsi6> -> !qflow.stream<tensor<1x2xui1> by 2>
  // CHECK: qflow.topk %6 : !qflow.stream<tensor<1x2xui1> by 2> -> !qflow.stream<tensor<1x1xui1> by 1>
  %7 = qflow.topk %6 : !qflow.stream<tensor<1x2xui1> by 2> -> !qflow.stream<tensor<1x1xui1> by 1>
  func.return %7 : !qflow.stream<tensor<1x1xui1> by 1>
}

// Zeros take no cycle, two lanes together, also in groups.
// CHECK-LABEL: func.func @sparse
func.func @sparse(%q: !qflow.stream<tensor<1x2x4xsi3> by 2>) -> !qflow.stream<tensor<1x2x1xsi6> by 1> {
  %w = qnn.constant <tensor<2x4x!qnn.ternary>, [1, -1, 0, 0, 0, 0, 0, 0]>
  // CHECK: qflow.mvu %q, %w groups 2 zero_skip 2 accumulator si6 offset 0 : !qflow.stream<tensor<1x2x4xsi3> by 2>, tensor<2x4x!qnn.ternary> -> !qflow.stream<tensor<1x2x1xsi6> by 1>
  %0 = qflow.mvu %q, %w groups 2 zero_skip 2 accumulator si6 offset 0 : !qflow.stream<tensor<1x2x4xsi3> by 2>, tensor<2x4x!qnn.ternary> -> !qflow.stream<tensor<1x2x1xsi6> by 1>
  func.return %0 : !qflow.stream<tensor<1x2x1xsi6> by 1>
}
