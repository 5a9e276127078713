// Checks of what a caller passes, the same for every runtime. All throw Error with CLIP_INVALID_ARGUMENT.
#ifndef CLIP_PLUGIN_OPTIONS_H_
#define CLIP_PLUGIN_OPTIONS_H_

#include "plugin.h"

namespace clip {

SessionOptions CheckOptions(const clip_session_options& options);

// Also works out the sizes in bytes, without overflow.
Batch CheckBatch(const clip_batch& batch, const SessionInfo& session);

// One dimension of a graph's input or output; below 0: not fixed by the graph.
using Shape = std::vector<int64_t>;

// What a runtime found in the graph, in its own words, to be checked against what a tower must be.
struct Signature {
  struct Port {
    std::string name, type;  // type: "uint8", "int32", "float32" or the runtime's own name of another one
    Shape shape;
    bool ranked = true;  // false: the graph does not even fix the number of dimensions
  };
  std::vector<Port> inputs, outputs;
};

// Checks that the graph is a tower as clip_tower says and fills dim and image_size of the session.
void CheckSignature(const Signature& signature, const SessionOptions& options, SessionInfo* session);

}  // namespace clip

#endif  // CLIP_PLUGIN_OPTIONS_H_
