// From an ONNX graph to an engine.
#ifndef CLIP_TENSORRT_BUILD_H_
#define CLIP_TENSORRT_BUILD_H_

#include <string>

#include "api.h"
#include "graph.h"
#include "network.h"
#include "plugin.h"

namespace clip::trt {

// The level of the builder, 0 (quick to build) to 5 (quick to run): CLIPD_TENSORRT_LEVEL, or TensorRT's own
// default.
int BuilderLevel();

// The profiles for the towers that the options and the session speak of.
std::vector<Profile> ProfilesFor(const SessionOptions& options, const SessionInfo& session);

struct Parsed {
  Own<nvinfer1::IBuilder> builder;
  Own<nvinfer1::INetworkDefinition> network;
  Own<nvonnxparser::IParser> parser;  // owns what the network's weights point to
};

// Reads the graph into a strongly typed network and checks that it is the tower that the options ask for:
// fills dim, image_size, packs and tower of the session. Throws CLIP_INVALID_ARGUMENT with what TensorRT's
// parser says.
Parsed Parse(const Library& library, const SessionOptions& options, const GraphFacts& facts,
             SessionInfo* session);

// Builds an engine for the device that is current, which takes minutes and most of the device's attention:
// one at a time in a process. timing_cache is a file that is read and written anew, or "".
Own<nvinfer1::IHostMemory> Build(Parsed* parsed, const SessionOptions& options,
                                 const std::vector<Profile>& profiles, const std::string& timing_cache);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_BUILD_H_
