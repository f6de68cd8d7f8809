// RUN: %invalid

// CHECK: op 'qflow.swu': `kernel` must have 2 values, got [3]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x54xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.swu': a window that reaches over 5 elements does not fit the 4 of the padded input
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [5, 3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x54xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.swu': `out` must carry a tensor of shape [1, 2, 3, 54], got [1, 2, 3, 9, 6]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [3, 3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x9x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.swu': 4 groups do not divide 6 channels
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [3, 3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 4 : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x54xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.swu': the lanes must divide the 3 channels of a group, got 2
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [3, 3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 2 : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x2x27xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.swu': `out` must carry 2 lanes, got 3
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [3, 3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x54xsi3> by 3>
  func.return
}

// -----

// CHECK: op 'qflow.swu': `input` must carry 6 lanes, got 2
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.swu %x kernel [3, 3] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x54xsi3> by 54>
  func.return
}

// -----

// CHECK: op 'qflow.swu': `input` must carry a map of shape [1, H, W, C] or [1, W, C], got [1, 6]
func.func @f(%x: !qflow.stream<tensor<1x6xsi3> by 1>) {
  %0 = qflow.swu %x kernel [1] strides [1] pads [0, 0] dilations [1] : !qflow.stream<tensor<1x6xsi3> by 1> -> !qflow.stream<tensor<1x6xsi3> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.pool': operand and result must have one element type, got si3 and si4
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.pool max %x kernel [2, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x3x4x6xsi4> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.pool': a window stands on padding alone
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.pool sum %x kernel [1, 1] strides [1, 1] pads [1, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x5x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.pool': `out` must carry 2 lanes, got 1
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.pool max %x kernel [2, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x3x4x6xsi3> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `bias` must have shape [VY, VX, 3], got [1, 3]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<3x6xsi2>, %b: tensor<1x3xsi4>) {
  %0 = qflow.mvu %x, %w bias %b : tensor<1x3xsi4> accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<3x6xsi2> -> !qflow.stream<tensor<1x4x5x3xsi8> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `row_places` must have 4 values, got 3
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<3x6xsi2>, %b: tensor<2x1x3xsi4>) {
  %0 = qflow.mvu %x, %w bias %b : tensor<2x1x3xsi4> rows [0, 1, 0] accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<3x6xsi2> -> !qflow.stream<tensor<1x4x5x3xsi8> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `row_places` must take each index below 2 of `bias`, got [0]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<3x6xsi2>, %b: tensor<2x1x3xsi4>) {
  %0 = qflow.mvu %x, %w bias %b : tensor<2x1x3xsi4> accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<3x6xsi2> -> !qflow.stream<tensor<1x4x5x3xsi8> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': places need a bias
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<3x6xsi2>) {
  %0 = qflow.mvu %x, %w columns [0, 0, 0, 0, 0] accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<3x6xsi2> -> !qflow.stream<tensor<1x4x5x3xsi8> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mvu': `input` must carry 2 vectors a pixel, one a group, got [1, 4, 5, 6]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<6x6xsi2>) {
  %0 = qflow.mvu %x, %w groups 2 accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<6x6xsi2> -> !qflow.stream<tensor<1x4x5x3xsi8> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.vvu': `weights` must have shape [6, 4], got [6, 3]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<6x3xsi2>) {
  %0 = qflow.vvu %x, %w kernel [2, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<6x3xsi2> -> !qflow.stream<tensor<1x3x4x6xsi8> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.vvu': `out` must carry 2 lanes, got 3
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %w: tensor<6x4xsi2>) {
  %0 = qflow.vvu %x, %w kernel [2, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] accumulator si8 offset 0 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, tensor<6x4xsi2> -> !qflow.stream<tensor<1x3x4x6xsi8> by 3>
  func.return
}

// -----

// CHECK: op 'qflow.pad': `pads` must have 4 values of 0 or more, got [1, 1]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.pad %x value 0 pads [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.pad': `stretch` must have 2 values of 1 or more, got [2]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.pad %x value 0 pads [1, 1, 0, 0] stretch [2] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.pad': 4 is no value of si3
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.pad %x value 4 pads [0, 0, 0, 0] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.pad': 0 is no value of !qnn.bipolar
func.func @f(%x: !qflow.stream<tensor<1x4x2x!qnn.bipolar> by 1>) {
  %0 = qflow.pad %x value 0 pads [0, 0] : !qflow.stream<tensor<1x4x2x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x4x2x!qnn.bipolar> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.pad': !qnn.bipolar does not fit `out` of ui3
func.func @f(%x: !qflow.stream<tensor<1x4x2x!qnn.bipolar> by 1>) {
  %0 = qflow.pad %x value 0 pads [0, 0] : !qflow.stream<tensor<1x4x2x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x4x2xui3> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.slice': 3 elements from 1 on in steps of 2 do not lie in an axis of 5
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.slice %x offsets [0, 0, 1, 0] steps [1, 1, 2, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x3x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.slice': 2 lanes do not cut the last axis into whole beats
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.slice %x offsets [0, 0, 0, 1] steps [1, 1, 1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x4xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.slice': `out`, `offsets` and `steps` must have 4 axes
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.slice %x offsets [0, 0] steps [1, 1, 1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x4xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.upsample': `factors` must have 2 values of 1 or more, got [2, 0]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.upsample %x factors [2, 0] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x8x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.depth_to_space': 6 channels of a 2-D map must be a multiple of 2 * 2
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.depth_to_space %x block 2 order dcr : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x8x10x1xsi3> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.depth_to_space': 2 lanes do not carry pixels of 2 channels in order crd
func.func @f(%x: !qflow.stream<tensor<1x4x5x8xsi3> by 2>) {
  %0 = qflow.depth_to_space %x block 2 order crd : !qflow.stream<tensor<1x4x5x8xsi3> by 2> -> !qflow.stream<tensor<1x8x10x2xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.reshape': [1, 4, 5, 6] and [1, 100] differ in size
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.reshape %x : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x100xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.reshape': 2 lanes must divide vectors of 6 and 5
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.reshape %x : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x24x5xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.concat': needs inputs and an axis behind the frame's, got 4
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>) {
  %0 = qflow.concat %x axis 4 : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.concat': needs inputs and an axis behind the frame's, got 2
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %y: !qflow.stream<tensor<1x6xsi3> by 1>) {
  %0 = qflow.concat %x, %y axis 2 : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, !qflow.stream<tensor<1x6xsi3> by 1> -> !qflow.stream<tensor<1x4x5x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.concat': 2 lanes do not divide the extents of `inputs` along axis 1
func.func @f(%x: !qflow.stream<tensor<1x3xsi3> by 2>) {
  %0 = qflow.concat %x, %x axis 1 : !qflow.stream<tensor<1x3xsi3> by 2>, !qflow.stream<tensor<1x3xsi3> by 2> -> !qflow.stream<tensor<1x6xsi3> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.add': `factors` must have shape [1, 6], got [2, 6]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %f: tensor<2x6xsi3>, %b: tensor<6xsi3>) {
  %0 = qflow.add %x factors %f : tensor<2x6xsi3> bias %b : tensor<6xsi3> : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi8> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.add': operands and result must have the same lanes, got [1, 2]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %f: tensor<1x6xsi3>, %b: tensor<6xsi3>) {
  %0 = qflow.add %x factors %f : tensor<1x6xsi3> bias %b : tensor<6xsi3> : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi8> by 1>
  func.return
}

// -----

// CHECK: op 'qflow.mul': `rhs` must carry a tensor of shape [1, 4, 5, 6], got [1, 120]
func.func @f(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %y: !qflow.stream<tensor<1x120xsi3> by 2>) {
  %0 = qflow.mul %x, %y : !qflow.stream<tensor<1x4x5x6xsi3> by 2>, !qflow.stream<tensor<1x120xsi3> by 2> -> !qflow.stream<tensor<1x4x5x6xsi8> by 2>
  func.return
}

// -----

// CHECK: op 'qflow.abs': 4, a magnitude of si3, does not fit `out` of si3
func.func @f(%x: !qflow.stream<tensor<1x4xsi3> by 2>) {
  %0 = qflow.abs %x : !qflow.stream<tensor<1x4xsi3> by 2> -> !qflow.stream<tensor<1x4xsi3> by 2>
  func.return
}
