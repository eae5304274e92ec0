# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two tiny ONNX classifiers and the embeddings that onnxruntime finds within them.

    pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
    python onnx_models.py        # writes onnx/

`inner` takes N x 16 x 16 x 3 floats, blue first; its embedding is a tensor within the graph.
`fixed` takes exactly 2 x 3 x 16 x 16 halves; its embedding is a map of tokens within the graph.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tiles import batch
from weights import tensor

FOLDER = pathlib.Path(__file__).parent / "onnx"
PX = 16
MEAN_BGR, STD = np.array([104.0, 117.0, 123.0], np.float32), np.float32(50.0)


def weight(name, shape, kind=np.float32):
    return numpy_helper.from_array(tensor(name, shape, 3).astype(kind), name)


def inner():
    """Convolution, ReLU, average, two classes; the output is the classes alone."""
    nodes = [
        helper.make_node("Transpose", ["image:0"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "conv.weight", "conv.bias"], ["conv"], strides=[2, 2]),
        helper.make_node("Relu", ["conv"], ["map:0"]),
        helper.make_node("GlobalAveragePool", ["map:0"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["pooled:0"]),
        helper.make_node("MatMul", ["pooled:0", "fc.weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["classes"]),
    ]
    weights = [weight("conv.weight", (8, 3, 3, 3)), weight("conv.bias", (8,)),
               weight("fc.weight", (8, 2))]
    image = helper.make_tensor_value_info("image:0", TensorProto.FLOAT, ["N", PX, PX, 3])
    classes = helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", 2])
    tiles = batch(3, PX).astype(np.float32)[..., ::-1]
    inputs = [(tiles - MEAN_BGR) / STD]
    return nodes, [image], [classes], weights, inputs, "pooled:0", TensorProto.FLOAT


def fixed():
    """Patches as tokens of half precision, two classes of their mean."""
    nodes = [
        helper.make_node("Conv", ["image", "patch.weight"], ["patches"], strides=[4, 4]),
        helper.make_node("Reshape", ["patches", "shape"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["tokens", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "fc.weight"], ["logits"]),
    ]
    half = np.float16
    weights = [weight("patch.weight", (6, 3, 4, 4), half), weight("fc.weight", (6, 2), half),
               numpy_helper.from_array(np.array([2, 6, 16], np.int64), "shape"),
               numpy_helper.from_array(np.array([1], np.int64), "axis")]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT16, [2, 3, PX, PX])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT16, [2, 2])
    tiles = (batch(4, PX).transpose(0, 3, 1, 2).astype(np.float32) / 255 - 0.5) / 0.5
    inputs = [tiles[:2].astype(half), tiles[2:].astype(half)]
    return nodes, [image], [logits], weights, inputs, "tokens", TensorProto.FLOAT16


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, build in [("inner", inner), ("fixed", fixed)]:
        nodes, inputs, outputs, weights, batches, wanted, kind = build()
        graph = helper.make_graph(nodes, name, inputs, outputs, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(model, FOLDER / f"{name}.onnx")
        model.graph.output.append(helper.make_tensor_value_info(wanted, kind, None))
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"])
        found = [session.run([wanted], {inputs[0].name: x})[0] for x in batches]
        rows = np.concatenate(found).astype(np.float32)
        golden = {"origin": f"onnxruntime {onnxruntime.__version__}", "px": PX,
                  "shape": list(rows.shape),
                  "embeddings": [[float(f"{v:.7g}") for v in row.ravel()] for row in rows]}
        (FOLDER / f"{name}.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
