// RUN: qopt %s -p 'bitpack{max-popcounts=24}' | filecheck %s
// RUN: qopt %s -p 'bitpack{max-popcounts=24}' | qopt | filecheck %s
// RUN: not qopt %s -p 'bitpack{machine=z80}' 2>&1 | filecheck %s --check-prefix=MACHINE

// MACHINE: bitpack: machine must be one of scalar, portable, avx2, avx512, got z80

// What weights are stored as: odd ones as signs, five levels beside inputs of signs as
// magnitude and sign, else in two's complement. All are si8 here.
// CHECK-LABEL: func.func @core
func.func @core(%b: tensor<1x4x!qnn.bipolar>, %u: tensor<1x4xui2>) -> (tensor<1x1xsi8>, tensor<1x1xsi8>, tensor<1x1xsi8>, tensor<1x1xsi8>) {
  %odd = qnn.constant <tensor<1x4xsi8>, [-3, -1, 1, 3]>
  %five = qnn.constant <tensor<1x4xsi8>, [-2, 0, 1, 2]>
  // CHECK: !qnn.packed<tensor<1x4x!qnn.odd<2>>, word 64> -> tensor<1x1xsi8>
  %0 = qnn.matmul %b, %odd : tensor<1x4x!qnn.bipolar>, tensor<1x4xsi8> -> tensor<1x1xsi8>
  // CHECK: !qnn.packed<tensor<1x4x!qnn.odd<2>>, word 64> -> tensor<1x1xsi8>
  %1 = qnn.matmul %u, %odd : tensor<1x4xui2>, tensor<1x4xsi8> -> tensor<1x1xsi8>
  // CHECK: !qnn.packed<tensor<1x4x!qnn.sign_magnitude<2>>, word 64> -> tensor<1x1xsi8>
  %2 = qnn.matmul %b, %five : tensor<1x4x!qnn.bipolar>, tensor<1x4xsi8> -> tensor<1x1xsi8>
  // CHECK: !qnn.packed<tensor<1x4xsi3>, word 64> -> tensor<1x1xsi8>
  %3 = qnn.matmul %u, %five : tensor<1x4xui2>, tensor<1x4xsi8> -> tensor<1x1xsi8>
  func.return %0, %1, %2, %3 : tensor<1x1xsi8>, tensor<1x1xsi8>, tensor<1x1xsi8>, tensor<1x1xsi8>
}
