// RUN: qopt %s -p convert-qflow-to-hw --split-input-file --verify-diagnostics --allow-unregistered-dialect | filecheck %s
// RUN: not qopt %s -p 'convert-qflow-to-hw{prefix=1st}' --split-input-file --allow-unregistered-dialect 2>&1 | filecheck %s --check-prefix=PREFIX
// RUN: not qopt %s -t sv --split-input-file --allow-unregistered-dialect 2>&1 | filecheck %s --check-prefix=LEVEL
// RUN: not qopt %s -t circt --split-input-file --allow-unregistered-dialect 2>&1 | filecheck %s --check-prefix=LEVEL

// PREFIX: convert-qflow-to-hw: the prefix must be a letter and then letters, digits or _, got '1st'
// LEVEL: the module has no hw.module; run the pipeline bnn-fpga

// An operation of others between units.
// CHECK: convert-qflow-to-hw: builtin.unregistered (node 'denoise'): no hardware unit computes it
func.func @core(%q: !qflow.stream<tensor<1x4xsi3> by 2>) -> !qflow.stream<tensor<1x4xsi3> by 2> {
  %a = "qflow.median"(%q) : (!qflow.stream<tensor<1x4xsi3> by 2>) -> !qflow.stream<tensor<1x4xsi3> by 2> loc("denoise")
  func.return %a : !qflow.stream<tensor<1x4xsi3> by 2>
}

// -----

// CHECK: convert-qflow-to-hw: qflow.pool (node 'wide'): too much padding for a pool unit; put a qflow.pad in front instead
func.func @core(%q: !qflow.stream<tensor<1x2x3xsi3> by 1>) -> !qflow.stream<tensor<1x5x3xsi3> by 1> {
  %a = qflow.pool max %q kernel [7] strides [1] pads [4, 5] dilations [1] : !qflow.stream<tensor<1x2x3xsi3> by 1> -> !qflow.stream<tensor<1x5x3xsi3> by 1> loc("wide")
  func.return %a : !qflow.stream<tensor<1x5x3xsi3> by 1>
}

// -----

// CHECK: convert-qflow-to-hw: qflow.lookup (node 'act'): its table must be constants
func.func @core(%q: !qflow.stream<tensor<1x2xui1> by 1>) -> !qflow.stream<tensor<1x2xsi3> by 1> {
  %t = "other.table"() : () -> tensor<2x2xsi3>
  %a = qflow.lookup %q, %t low 0 : !qflow.stream<tensor<1x2xui1> by 1>, tensor<2x2xsi3> -> !qflow.stream<tensor<1x2xsi3> by 1> loc("act")
  func.return %a : !qflow.stream<tensor<1x2xsi3> by 1>
}

// -----

// CHECK: convert-qflow-to-hw: @core: the stream %q has 2 readers, expected one; a qflow.fork copies a stream
func.func @core(%q: !qflow.stream<tensor<1x2xsi3> by 1>) -> (!qflow.stream<tensor<1x2xsi3> by 1>, !qflow.stream<tensor<1x2xsi3> by 1>) {
  func.return %q, %q : !qflow.stream<tensor<1x2xsi3> by 1>, !qflow.stream<tensor<1x2xsi3> by 1>
}

// -----

// CHECK: convert-qflow-to-hw: @core: the stream %b has 0 readers, expected one; a qflow.fork copies a stream
func.func @core(%q: !qflow.stream<tensor<1x2xsi3> by 1>) -> !qflow.stream<tensor<1x2xsi3> by 1> {
  %a, %b = qflow.fork %q : !qflow.stream<tensor<1x2xsi3> by 1> -> !qflow.stream<tensor<1x2xsi3> by 1>, !qflow.stream<tensor<1x2xsi3> by 1>
  func.return %a : !qflow.stream<tensor<1x2xsi3> by 1>
}

// -----

// CHECK: convert-qflow-to-hw: the module has a symbol @qnnc_top already; choose another prefix
qnn.weight @qnnc_top = <tensor<2xui8>, [1, 2]>
func.func @core(%q: !qflow.stream<tensor<1x2xsi3> by 1>) -> !qflow.stream<tensor<1x2xsi3> by 1> {
  func.return %q : !qflow.stream<tensor<1x2xsi3> by 1>
}
