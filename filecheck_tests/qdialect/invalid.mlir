// RUN: qopt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: op 'qnn.matmul': `input` must have shape [1, 4], got [1, 3]
func.func @f(%x: tensor<1x3xsi4>, %w: tensor<2x4xsi4>) {
  %0 = qnn.matmul %x, %w : tensor<1x3xsi4>, tensor<2x4xsi4> -> tensor<1x2xsi10>
  func.return
}

// -----

// CHECK: op 'qnn.matmul': `input` and `weights` and `out` must be all real or all integer
func.func @f(%x: tensor<1x4xf32>, %w: tensor<2x4xsi4>) {
  %0 = qnn.matmul %x, %w : tensor<1x4xf32>, tensor<2x4xsi4> -> tensor<1x2xsi10>
  func.return
}

// -----

// CHECK: op 'qnn.sign': elements of `out` must be !qnn.bipolar, got si2
func.func @f(%x: tensor<1x4xf32>) {
  %0 = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4xsi2>
  func.return
}

// -----

// CHECK: op 'qnn.relu': elements of `input` must be f32, !qnn.bipolar, !qnn.ternary, siN or uiN, got i8
func.func @f(%x: tensor<1x4xi8>) {
  %0 = qnn.relu %x : tensor<1x4xi8> -> tensor<1x4xi8>
  func.return
}

// -----

// CHECK: op 'qnn.threshold': the levels [0, 4] do not fit ui2, which is [0, 3]
func.func @f(%x: tensor<1x1xsi4>, %t: tensor<1x4xsi4>) {
  %0 = qnn.threshold %x, %t offset 0 axis 1 : tensor<1x1xsi4>, tensor<1x4xsi4> -> tensor<1x1xui2>
  func.return
}

// -----

// CHECK: op 'qnn.threshold': a bipolar result needs one threshold and offset 0, got 2 and 0
func.func @f(%x: tensor<1x1xsi4>, %t: tensor<1x2xsi4>) {
  %0 = qnn.threshold %x, %t offset 0 axis 1 : tensor<1x1xsi4>, tensor<1x2xsi4> -> tensor<1x1x!qnn.bipolar>
  func.return
}

// -----

// CHECK: op 'qnn.threshold': `thresholds` must have shape [3, T], got [2, 1]
func.func @f(%x: tensor<1x3xsi4>, %t: tensor<2x1xsi4>) {
  %0 = qnn.threshold %x, %t offset 0 axis 1 : tensor<1x3xsi4>, tensor<2x1xsi4> -> tensor<1x3xui1>
  func.return
}

// -----

// CHECK: op 'qnn.add': shapes [1, 3] and [2] do not broadcast
func.func @f(%x: tensor<1x3xf32>, %y: tensor<2xf32>) {
  %0 = qnn.add %x, %y : tensor<1x3xf32>, tensor<2xf32> -> tensor<1x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.hardtanh': low 1.0 must not exceed high 0.0
func.func @f(%x: tensor<1x3xf32>) {
  %0 = qnn.hardtanh %x low 1.0 high 0.0 : tensor<1x3xf32> -> tensor<1x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.batch_norm': axis must be in [0, 1], got 2
func.func @f(%x: tensor<1x3xf32>, %g: tensor<3xf32>) {
  %0 = qnn.batch_norm %x, %g, %g, %g, %g epsilon 0.0 axis 2 : tensor<1x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32> -> tensor<1x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.reshape': [1, 6] and [1, 5] do not hold as many elements
func.func @f(%x: tensor<1x6xf32>) {
  %0 = qnn.reshape %x : tensor<1x6xf32> -> tensor<1x5xf32>
  func.return
}

// -----

// CHECK: op 'qnn.transpose': perm must order the axes 0..1, got [0, 0]
func.func @f(%x: tensor<1x6xf32>) {
  %0 = qnn.transpose %x perm [0, 0] : tensor<1x6xf32> -> tensor<1x1xf32>
  func.return
}

// -----

// CHECK: op 'qnn.topk': indices up to 5 do not fit ui2
func.func @f(%x: tensor<1x6xsi4>) {
  %0, %1 = qnn.topk %x axis 1 : tensor<1x6xsi4> -> tensor<1x1xsi4>, tensor<1x1xui2>
  func.return
}

// -----

// CHECK: op 'qnn.call': the module has no symbol @core
func.func @f(%x: tensor<1x6xsi4>) {
  %0 = qnn.call @core(%x) : (tensor<1x6xsi4>) -> tensor<1x6xsi4>
  func.return
}

// -----

// CHECK: packed words must have 8, 16, 32 or 64 bits, got 12
func.func @f(%x: !qnn.packed<tensor<1x6xsi4>, word 12>) {
  func.return
}

// -----

// CHECK: op 'qnn.packed_matmul': `weights` must pack a matrix [MH, 6]
func.func @f(%x: !qnn.packed<tensor<1x6xsi4>, word 8>, %w: !qnn.packed<tensor<2x7xsi4>, word 8>) {
  %0 = qnn.packed_matmul %x, %w : !qnn.packed<tensor<1x6xsi4>, word 8>, !qnn.packed<tensor<2x7xsi4>, word 8> -> tensor<1x2xsi10>
  func.return
}

// -----

// CHECK: lanes must be in [1, 4], got 5
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 5>) {
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `weights` must have shape [2, 4], got [2, 5]
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>, %w: tensor<2x5xsi3>) {
  %0 = qflow.mvu %x, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x5xsi3> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': without thresholds `out` must carry the accumulator si7
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>, %w: tensor<2x4xsi3>) {
  %0 = qflow.mvu %x, %w accumulator si7 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4xsi3> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `zero_skip` needs constant weights: what is skipped follows from their values
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>, %w: tensor<2x4xsi3>) {
  %0 = qflow.mvu %x, %w zero_skip 2 accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4xsi3> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `zero_skip` needs weights that can be 0, got !qnn.bipolar
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>) {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  %0 = qflow.mvu %x, %w zero_skip 2 accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `zero_skip` must be in [1, 2], the lanes of `input` that go together, got 4
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>) {
  %w = qnn.constant <tensor<2x4x!qnn.ternary>, [1, -1, 1, -1, 0, 1, -1, -1]>
  %0 = qflow.mvu %x, %w zero_skip 4 accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.ternary> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.dwc': `out` must carry tensor<1x4xsi3>
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>) {
  %0 = qflow.dwc %x : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi4> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.fifo': depth must be positive, got 0
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>) {
  %0 = qflow.fifo %x depth 0 : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi3> by 2>
  func.return
}

// -----

// CHECK: constant of type tensor<9x!qnn.bipolar> needs 2 bytes, got 1
qnn.weight @w = <tensor<9x!qnn.bipolar>, "0f">

// -----

// CHECK: op 'qnn.abs': 4, a magnitude of si3, does not fit `out` of ui2
func.func @f(%x: tensor<1x4xsi3>) {
  %0 = qnn.abs %x : tensor<1x4xsi3> -> tensor<1x4xui2>
  func.return
}
