// RUN: qopt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: op 'qnn.conv': `weights` must have shape [O, C/groups, KH, KW], got [8, 4, 3]
func.func @f(%x: tensor<1x4x6x5xf32>, %w: tensor<8x4x3xf32>) {
  %0 = qnn.conv %x, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x4x6x5xf32>, tensor<8x4x3xf32> -> tensor<1x8x4x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': `weights` must have shape [O, K, C/groups], got [8, 4]
func.func @f(%x: tensor<1x6x4xf32>, %w: tensor<8x4xf32>) {
  %0 = qnn.conv %x, %w strides [1] pads [0, 0] dilations [1] groups 1 channels_last : tensor<1x6x4xf32>, tensor<8x4xf32> -> tensor<1x6x8xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': `input` must be one frame of a 1-D or 2-D map, of shape [1, channels, extents] or channels-last, got [1, 4]
func.func @f(%x: tensor<1x4xf32>, %w: tensor<8x4xf32>) {
  %0 = qnn.conv %x, %w strides [] pads [] dilations [] groups 1 : tensor<1x4xf32>, tensor<8x4xf32> -> tensor<1x8xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': `pads` must have 4 values, got [1, 1]
func.func @f(%x: tensor<1x4x6x5xf32>, %w: tensor<8x4x3x3xf32>) {
  %0 = qnn.conv %x, %w strides [1, 1] pads [1, 1] dilations [1, 1] groups 1 : tensor<1x4x6x5xf32>, tensor<8x4x3x3xf32> -> tensor<1x8x4x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': `strides` must be 1 or more, got [0, 1]
func.func @f(%x: tensor<1x4x6x5xf32>, %w: tensor<8x4x3x3xf32>) {
  %0 = qnn.conv %x, %w strides [0, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x4x6x5xf32>, tensor<8x4x3x3xf32> -> tensor<1x8x4x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': 2 groups of 4 channels each must make the 4 of `input` and divide the 8 of `out`
func.func @f(%x: tensor<1x4x6x5xf32>, %w: tensor<8x4x3x3xf32>) {
  %0 = qnn.conv %x, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 2 : tensor<1x4x6x5xf32>, tensor<8x4x3x3xf32> -> tensor<1x8x4x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': a window that reaches over 7 elements does not fit the 5 of the padded input
func.func @f(%x: tensor<1x4x6x5xf32>, %w: tensor<8x4x3x3xf32>) {
  %0 = qnn.conv %x, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 3] groups 1 : tensor<1x4x6x5xf32>, tensor<8x4x3x3xf32> -> tensor<1x8x4x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.conv': `out` must have shape [1, 8, 4, 3], got [1, 8, 4, 4]
func.func @f(%x: tensor<1x4x6x5xf32>, %w: tensor<8x4x3x3xf32>) {
  %0 = qnn.conv %x, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x4x6x5xf32>, tensor<8x4x3x3xf32> -> tensor<1x8x4x4xf32>
  func.return
}

// -----

// CHECK: op 'qnn.max_pool': a window stands on padding alone; pads [0, 2] are too many for the kernel
func.func @f(%x: tensor<1x4x6xf32>) {
  %0 = qnn.max_pool %x kernel [2] strides [2] pads [0, 2] dilations [1] : tensor<1x4x6xf32> -> tensor<1x4x4xf32>
  func.return
}

// -----

// CHECK: op 'qnn.max_pool': operand and result must have one element type, got si4 and si5
func.func @f(%x: tensor<1x4x6xsi4>) {
  %0 = qnn.max_pool %x kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x4x6xsi4> -> tensor<1x4x3xsi5>
  func.return
}

// -----

// CHECK: op 'qnn.sum_pool': `input` and `out` must be all real or all integer, got tensor<1x4x6xsi4>, tensor<1x4x3xf32>
func.func @f(%x: tensor<1x4x6xsi4>) {
  %0 = qnn.sum_pool %x kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x4x6xsi4> -> tensor<1x4x3xf32>
  func.return
}

// -----

// CHECK: op 'qnn.pad': `value` of !qnn.ternary does not fit `out` of !qnn.bipolar
func.func @f(%x: tensor<1x4x!qnn.bipolar>, %z: tensor<!qnn.ternary>) {
  %0 = qnn.pad %x, %z low [0, 1] high [0, 0] : tensor<1x4x!qnn.bipolar>, tensor<!qnn.ternary> -> tensor<1x5x!qnn.bipolar>
  func.return
}

// -----

// CHECK: op 'qnn.pad': `low` must be 0 or more, and 0 for the leading axis, got [1, 0]
func.func @f(%x: tensor<1x4xsi4>, %z: tensor<si4>) {
  %0 = qnn.pad %x, %z low [1, 0] high [0, 0] : tensor<1x4xsi4>, tensor<si4> -> tensor<2x4xsi4>
  func.return
}

// -----

// CHECK: op 'qnn.concat': axis 0 is the frame's; expected another
func.func @f(%x: tensor<1x4xsi4>) {
  %0 = qnn.concat %x, %x axis 0 : tensor<1x4xsi4>, tensor<1x4xsi4> -> tensor<2x4xsi4>
  func.return
}

// -----

// CHECK: op 'qnn.concat': `operand 1` must have shape [1, 3, 4], got [1, 3, 2]
func.func @f(%x: tensor<1x4x4xsi4>, %y: tensor<1x3x2xsi4>) {
  %0 = qnn.concat %x, %y axis 1 : tensor<1x4x4xsi4>, tensor<1x3x2xsi4> -> tensor<1x7x4xsi4>
  func.return
}

// -----

// CHECK: op 'qnn.concat': `operand 0` of si4 does not fit `out` of si3
func.func @f(%x: tensor<1x4xsi4>) {
  %0 = qnn.concat %x, %x axis 1 : tensor<1x4xsi4>, tensor<1x4xsi4> -> tensor<1x8xsi3>
  func.return
}

// -----

// CHECK: op 'qnn.slice': 3 elements from 1 on in steps of 2 do not lie in an axis of 5
func.func @f(%x: tensor<1x5xsi4>) {
  %0 = qnn.slice %x offsets [0, 1] steps [1, 2] : tensor<1x5xsi4> -> tensor<1x3xsi4>
  func.return
}

// -----

// CHECK: op 'qnn.upsample': `factors` must be 1 or more, and 1 for the leading axis, got [2, 1]
func.func @f(%x: tensor<1x5xsi4>) {
  %0 = qnn.upsample %x factors [2, 1] : tensor<1x5xsi4> -> tensor<2x5xsi4>
  func.return
}

// -----

// CHECK: op 'qnn.depth_to_space': 6 channels are not a multiple of 4
func.func @f(%x: tensor<1x6x2x2xsi4>) {
  %0 = qnn.depth_to_space %x block 2 order dcr : tensor<1x6x2x2xsi4> -> tensor<1x1x4x4xsi4>
  func.return
}
