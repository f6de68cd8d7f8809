// RUN: qopt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: packed_conv': `input` must pack one frame of a map, [1, H, W, C] or [1, W, C], without panels, got !qnn.packed<tensor<1x4xsi4>, word 8>
func.func @f(%x: !qnn.packed<tensor<1x4xsi4>, word 8>, %w: !qnn.packed<tensor<2x4xsi4>, word 8>) {
  %0 = qnn.packed_conv %x, %w strides [] pads [] dilations [] : !qnn.packed<tensor<1x4xsi4>, word 8>, !qnn.packed<tensor<2x4xsi4>, word 8> -> tensor<1x2xsi10>
  func.return
}

// -----

// CHECK: packed_conv': `weights` must pack [O, K, 4], got !qnn.packed<tensor<2x3x5xsi4>, word 8>
func.func @f(%x: !qnn.packed<tensor<1x9x4xsi4>, word 8>, %w: !qnn.packed<tensor<2x3x5xsi4>, word 8>) {
  %0 = qnn.packed_conv %x, %w strides [1] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x9x4xsi4>, word 8>, !qnn.packed<tensor<2x3x5xsi4>, word 8> -> tensor<1x7x2xsi10>
  func.return
}

// -----

// CHECK: packed_conv': `input` must have the words of `weights`, 16 bits
func.func @f(%x: !qnn.packed<tensor<1x9x4xsi4>, word 8>, %w: !qnn.packed<tensor<2x3x4xsi4>, word 16>) {
  %0 = qnn.packed_conv %x, %w strides [1] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x9x4xsi4>, word 8>, !qnn.packed<tensor<2x3x4xsi4>, word 16> -> tensor<1x7x2xsi10>
  func.return
}

// -----

// CHECK: packed_conv': `out` must have shape [1, 7, 2], got [1, 8, 2]
func.func @f(%x: !qnn.packed<tensor<1x9x4xsi4>, word 8>, %w: !qnn.packed<tensor<2x3x4xsi4>, word 8>) {
  %0 = qnn.packed_conv %x, %w strides [1] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x9x4xsi4>, word 8>, !qnn.packed<tensor<2x3x4xsi4>, word 8> -> tensor<1x8x2xsi10>
  func.return
}

// -----

// CHECK: packed_max_pool': elements must be !qnn.bipolar or ui1, got si1
func.func @f(%x: !qnn.packed<tensor<1x9x4xsi1>, word 8>) {
  %0 = qnn.packed_max_pool %x kernel [3] strides [3] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x9x4xsi1>, word 8> -> !qnn.packed<tensor<1x3x4xsi1>, word 8>
  func.return
}

// -----

// CHECK: packed_max_pool': `out` must be !qnn.packed<tensor<1x3x4xui1>, word 8>, got !qnn.packed<tensor<1x4x4xui1>, word 8>
func.func @f(%x: !qnn.packed<tensor<1x9x4xui1>, word 8>) {
  %0 = qnn.packed_max_pool %x kernel [3] strides [3] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x9x4xui1>, word 8> -> !qnn.packed<tensor<1x4x4xui1>, word 8>
  func.return
}

// -----

// CHECK: packed_max_pool': a window stands on padding alone; pads [3, 0] are too many for the kernel
func.func @f(%x: !qnn.packed<tensor<1x9x4xui1>, word 8>) {
  %0 = qnn.packed_max_pool %x kernel [3] strides [3] pads [3, 0] dilations [1] : !qnn.packed<tensor<1x9x4xui1>, word 8> -> !qnn.packed<tensor<1x4x4xui1>, word 8>
  func.return
}

// -----

// CHECK: packed_reshape': the words of !qnn.packed<tensor<1x2x4xui1>, word 8> are not those of !qnn.packed<tensor<1x8xui1>, word 8>; expected whole words on both sides, in one order
func.func @f(%x: !qnn.packed<tensor<1x2x4xui1>, word 8>) {
  %0 = qnn.packed_reshape %x : !qnn.packed<tensor<1x2x4xui1>, word 8> -> !qnn.packed<tensor<1x8xui1>, word 8>
  func.return
}

// -----

// CHECK: panels need rows, [MH, MW] or [O, .., C], got tensor<4xui1>
func.func @f(%x: !qnn.packed<tensor<4xui1>, word 8, panel 2>) {
  func.return
}
