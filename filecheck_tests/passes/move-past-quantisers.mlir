// RUN: qopt %s -p move-past-quantisers | filecheck %s

// A max pool behind an accumulator becomes one of the levels.
// CHECK-LABEL: func.func @pool
func.func @pool(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x2x2x!qnn.bipolar> {
  %bias = qnn.constant <tensor<2x1x1xf32>, [0.5, -0.25]>
  // CHECK: [[B:%.*]] = qnn.add %x,
  // CHECK-NEXT: [[R:%.*]] = qnn.relu [[B]]
  // CHECK-NEXT: [[S:%.*]] = qnn.sign [[R]] : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!qnn.bipolar>
  // CHECK-NEXT: qnn.max_pool [[S]] {{.*}} : tensor<1x2x4x4x!qnn.bipolar> -> tensor<1x2x2x2x!qnn.bipolar>
  %p = qnn.max_pool %x kernel [2, 2] strides [2, 2] pads [0, 0, 0, 0] dilations [1, 1] : tensor<1x2x4x4xf32> -> tensor<1x2x2x2xf32>
  %b = qnn.add %p, %bias : tensor<1x2x2x2xf32>, tensor<2x1x1xf32> -> tensor<1x2x2x2xf32>
  %r = qnn.relu %b : tensor<1x2x2x2xf32> -> tensor<1x2x2x2xf32>
  %s = qnn.sign %r : tensor<1x2x2x2xf32> -> tensor<1x2x2x2x!qnn.bipolar>
  func.return %s : tensor<1x2x2x2x!qnn.bipolar>
}

// Behind a slope that falls the greatest would be the least: left where it is.
// CHECK-LABEL: func.func @falling
func.func @falling(%x: tensor<1x2x4xf32>) -> tensor<1x2x2x!qnn.bipolar> {
  %slope = qnn.constant <tensor<2x1xf32>, [0.5, -0.25]>
  // CHECK: qnn.max_pool %x
  %p = qnn.max_pool %x kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xf32> -> tensor<1x2x2xf32>
  %b = qnn.mul %p, %slope : tensor<1x2x2xf32>, tensor<2x1xf32> -> tensor<1x2x2xf32>
  %s = qnn.sign %b : tensor<1x2x2xf32> -> tensor<1x2x2x!qnn.bipolar>
  func.return %s : tensor<1x2x2x!qnn.bipolar>
}

// What only moves elements passes steps that treat all elements alike.
// CHECK-LABEL: func.func @moved
func.func @moved(%x: tensor<1x4x2x2xf32>) -> tensor<1x1x4x4x!qnn.bipolar> {
  // CHECK: [[S:%.*]] = qnn.sign %x
  // CHECK-NEXT: qnn.depth_to_space [[S]]
  %d = qnn.depth_to_space %x block 2 order dcr : tensor<1x4x2x2xf32> -> tensor<1x1x4x4xf32>
  %s = qnn.sign %d : tensor<1x1x4x4xf32> -> tensor<1x1x4x4x!qnn.bipolar>
  func.return %s : tensor<1x1x4x4x!qnn.bipolar>
}

// A second reader keeps the real numbers.
// CHECK-LABEL: func.func @read_twice
func.func @read_twice(%x: tensor<1x2x4xf32>) -> (tensor<1x2x2x!qnn.bipolar>, tensor<1x2x2xf32>) {
  // CHECK: [[P:%.*]] = qnn.max_pool %x
  %p = qnn.max_pool %x kernel [2] strides [2] pads [0, 0] dilations [1] : tensor<1x2x4xf32> -> tensor<1x2x2xf32>
  // CHECK-NEXT: qnn.sign [[P]]
  %s = qnn.sign %p : tensor<1x2x2xf32> -> tensor<1x2x2x!qnn.bipolar>
  func.return %s, %p : tensor<1x2x2x!qnn.bipolar>, tensor<1x2x2xf32>
}
