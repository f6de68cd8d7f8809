// RUN: qopt %s --pipeline=bnn-integer --verify-each | filecheck %s --check-prefix INTEGER
// RUN: qopt %s --pipeline='bnn-c{max-popcounts=8}' --verify-each | filecheck %s --check-prefix PACKED
// RUN: qopt %s --pipeline=bnn-fpga | filecheck %s --check-prefix CIRCUIT
// RUN: qopt %s --pipeline='bnn-fpga{max-cycles=8}' -t sv | filecheck %s --check-prefix SV
// RUN: qopt %s --pipeline=bnn-fpga | qopt -t circt | filecheck %s --check-prefix CIRCT
// RUN: qopt --pipeline=bnn-c -p cse --print-pipeline | filecheck %s --check-prefix PRINTED
// RUN: qopt --list-pipelines | filecheck %s --check-prefix LISTED

// From a trained layer to each level.
// INTEGER: func.func @main
// INTEGER: qnn.call @core
// INTEGER: func.func @core
// INTEGER: qnn.threshold
// PACKED: qnn.packed_matmul
// CIRCUIT: hw.module
// SV: module
// SV: endmodule
// CIRCT: hw.module
// CIRCT-NOT: {{func\.func|qnn\.}}
// PRINTED: fold-batch-norm,quantize-inputs,{{.*}}outline-core,{{.*}}bitpack,cse
// LISTED: bnn-integer:
// LISTED: bnn-c:
// LISTED: bnn-fpga:
func.func @main(%x: tensor<1x8xf32>) -> tensor<1x4xf32> {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %half = qnn.constant <tensor<f32>, [0.5]>
  %a = qnn.sign %x : tensor<1x8xf32> -> tensor<1x8x!qnn.bipolar>
  %b = qnn.dequantize %a, %one, %zero : tensor<1x8x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x8xf32>
  %w = qnn.constant <tensor<4x8x!qnn.bipolar>, [1, 1, -1, 1, -1, -1, 1, 1, -1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, -1, 1, 1, 1, -1, -1, -1, 1, 1, 1, -1, 1, 1]>
  %v = qnn.dequantize %w, %half, %zero : tensor<4x8x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<4x8xf32>
  %c = qnn.matmul %b, %v : tensor<1x8xf32>, tensor<4x8xf32> -> tensor<1x4xf32> loc("fc1")
  %d = qnn.sign %c : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  %e = qnn.dequantize %d, %one, %zero : tensor<1x4x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  func.return %e : tensor<1x4xf32>
}
