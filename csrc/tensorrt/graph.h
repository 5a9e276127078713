// What must be known of an ONNX graph before TensorRT sees it.
#ifndef CLIP_TENSORRT_GRAPH_H_
#define CLIP_TENSORRT_GRAPH_H_

#include <string>
#include <string_view>
#include <vector>

#include "clip_runtime.h"

namespace clip::trt {

struct GraphFacts {
  clip_precision precision = CLIP_PRECISION_FP32;  // in which most of its weights are written
  std::vector<std::string> weight_files;           // beside it, sorted
  std::vector<std::string> byte_inputs;            // names of its uint8 inputs
};

// Throws CLIP_INVALID_ARGUMENT when the file is no ONNX graph.
GraphFacts ReadFacts(const std::string& path);

// The graph as TensorRT takes it, serialised. TensorRT converts uint8 only right behind a graph's input, and
// only to fp32 and fp16, while clipd's graphs cut pictures into patches as bytes: a cast to fp16, which holds
// every byte exactly, is put behind each uint8 input. What follows is the same for either type.
std::string ForTensorRt(std::string_view graph, const GraphFacts& facts);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_GRAPH_H_
