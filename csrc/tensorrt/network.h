// What inputs and outputs TensorRT sees in a graph or an engine, in the words that every runtime shares.
#ifndef CLIP_TENSORRT_NETWORK_H_
#define CLIP_TENSORRT_NETWORK_H_

#include <string>

#include "api.h"
#include "options.h"
#include "profiles.h"

namespace clip::trt {

Signature SignatureOf(const nvinfer1::INetworkDefinition& network);
Signature SignatureOf(const nvinfer1::ICudaEngine& engine);

// Inputs as the lanes fill them: those of a text tower that packs in the order of clip_batch.
void Order(Signature* signature);

// The kind of batch that a tower with this signature takes; CheckSignature has seen it.
Kind KindOf(const SessionInfo& session);

Shape ShapeOf(const nvinfer1::Dims& dims);
nvinfer1::Dims DimsOf(const Shape& shape);

}  // namespace clip::trt

#endif  // CLIP_TENSORRT_NETWORK_H_
