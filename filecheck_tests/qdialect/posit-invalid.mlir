// RUN: qopt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: 0.3 is not a value of !qnn.posit<8,1>
qnn.weight @w = <tensor<1x!qnn.posit<8,1>>, [0.3]>

// -----

// CHECK: constant of type tensor<1x!qnn.posit<8,1>>: code 0x80 is NaR, not a real number
qnn.weight @w = <tensor<1x!qnn.posit<8,1>>, "80">

// -----

// CHECK: !qnn.posit<n,es>: n must be from 2 to 32 and es from 0 to 4, got <33,1>
qnn.weight @w = <tensor<1x!qnn.posit<33,1>>, "0000000000">

// -----

// CHECK: op 'qnn.from_posit': elements of `input` must be !qnn.posit<n,es>, got tensor<1xsi8>
func.func @f() {
  %c = qnn.constant <tensor<1xsi8>, [1]>
  %0 = qnn.from_posit %c : tensor<1xsi8> -> tensor<1xf32>
  func.return
}

// -----

// CHECK: op 'qnn.from_posit': `input` must be a qnn.constant or a qnn.load
func.func @f(%c: tensor<1x!qnn.posit<8,1>>) {
  %0 = qnn.from_posit %c : tensor<1x!qnn.posit<8,1>> -> tensor<1xf32>
  func.return
}

// -----

// CHECK: op 'qnn.from_posit': operand and result must have the same shape, got [1] and [2]
func.func @f() {
  %c = qnn.constant <tensor<1x!qnn.posit<8,1>>, [1.0]>
  %0 = qnn.from_posit %c : tensor<1x!qnn.posit<8,1>> -> tensor<2xf32>
  func.return
}
