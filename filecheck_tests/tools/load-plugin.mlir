// RUN: qopt %s --load-plugin %S/Inputs/double_negation.py -p drop-flips,dce --verify-each | filecheck %s
// RUN: qopt %s --load-plugin %S/Inputs/double_negation.py -p 'drop-flips{single=true}' --verify-each --verify-diagnostics | filecheck %s --check-prefix WRONG
// RUN: qopt --load-plugin %S/Inputs/double_negation.py --list-passes | filecheck %s --check-prefix LIST

// A plug-in brings operations, what they compute, and passes.
// CHECK-LABEL: @twice
// CHECK-NEXT: func.return %x
func.func @twice(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = mine.flip %x : tensor<1x2xf32> -> tensor<1x2xf32>
  %b = mine.flip %a : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %b : tensor<1x2xf32>
}

// CHECK-LABEL: @once
// CHECK-NEXT: mine.flip %x
// WRONG: load-plugin.mlir: error: pass 'drop-flips' changes output 'output0' of @once
// WRONG-NEXT: first operation that differs: none
func.func @once(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = mine.flip %x : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %a : tensor<1x2xf32>
}

// LIST: drop-flips{[single=true|false:false]}
// LIST-NEXT: Take out two flips in a row{{$}}
