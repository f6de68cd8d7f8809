// RUN: qopt %s --split-input-file --verify-diagnostics -p 'fold{max-cycles=4}' | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'fold{max-cycles=1}' | filecheck %s --check-prefix=FAST
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'fold{max-cycles=4 zero-skip=false}' | filecheck %s --check-prefix=DENSE

// Eight products: in at most four cycles, and all at once.
// CHECK-LABEL: func.func @core
// FAST-LABEL: func.func @core
func.func @core(%q: !qflow.stream<tensor<1x4xsi3> by 1>) -> !qflow.stream<tensor<1x2xsi6> by 1> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  // CHECK: qflow.mvu %q, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by [[SIMD:[12]]]>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by {{[12]}}>
  // FAST: qflow.mvu %q, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 4>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 2>
  %a = qflow.mvu %q, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 1>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return %a : !qflow.stream<tensor<1x2xsi6> by 1>
}

// -----

// A top-k gives an index a beat: two cycles at least.
// CHECK-LABEL: func.func @core
// CHECK: qflow.topk
// FAST: fold: unit {{.*}} takes at least 2 cycles a frame
func.func @core(%q: !qflow.stream<tensor<1x4xsi3> by 1>) -> !qflow.stream<tensor<1x2xui2> by 1> {
  %a = qflow.topk %q : !qflow.stream<tensor<1x4xsi3> by 1> -> !qflow.stream<tensor<1x2xui2> by 1>
  func.return %a : !qflow.stream<tensor<1x2xui2> by 1>
}

// -----

// Streams that are joined have no more lanes than the narrowest has elements.
// CHECK-LABEL: func.func @core
// FAST: fold: unit {{.*}} takes at least 3 cycles a frame
func.func @core(%a: !qflow.stream<tensor<1x4xui2> by 1>, %b: !qflow.stream<tensor<1x2xui2> by 1>) -> !qflow.stream<tensor<1x6xui2> by 1> {
  // CHECK: qflow.concat {{.*}} -> !qflow.stream<tensor<1x6xui2> by 2>
  %c = qflow.concat %a, %b axis 1 : !qflow.stream<tensor<1x4xui2> by 1>, !qflow.stream<tensor<1x2xui2> by 1> -> !qflow.stream<tensor<1x6xui2> by 1>
  func.return %c : !qflow.stream<tensor<1x6xui2> by 1>
}

// -----

// Two of 32 products, in four cycles: where zeros are skipped, one row by two columns a
// cycle are fast enough.
// CHECK-LABEL: func.func @core
// CHECK: qflow.mvu %q, %w zero_skip {{[12]}} accumulator si18 offset 0 : !qflow.stream<tensor<1x8xui8> by 2>, tensor<4x8xsi8> -> !qflow.stream<tensor<1x4xsi18> by 1>
// DENSE: qflow.mvu %q, %w accumulator si18 offset 0 : !qflow.stream<tensor<1x8xui8> by [[SIMD:[248]]]>, tensor<4x8xsi8> -> !qflow.stream<tensor<1x4xsi18> by {{[124]}}>
func.func @core(%q: !qflow.stream<tensor<1x8xui8> by 1>) -> !qflow.stream<tensor<1x4xsi18> by 1> {
  %w = qnn.constant <tensor<4x8xsi8>, [0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]>
  %a = qflow.mvu %q, %w accumulator si18 offset 0 : !qflow.stream<tensor<1x8xui8> by 1>, tensor<4x8xsi8> -> !qflow.stream<tensor<1x4xsi18> by 1>
  func.return %a : !qflow.stream<tensor<1x4xsi18> by 1>
}
