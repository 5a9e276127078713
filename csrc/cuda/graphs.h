// A lane's CUDA graphs: what a pass of one shape puts on the stream, recorded once and launched as one.
#ifndef CLIP_CUDA_GRAPHS_H_
#define CLIP_CUDA_GRAPHS_H_

#include <functional>
#include <list>
#include <map>

#include "forward.h"
#include "owners.h"

namespace clip::cuda {

class Graphs {
 public:
  // most: how many graphs are kept; 0 keeps none, and everything is put on the stream each time.
  explicit Graphs(size_t most) : most_(most) {}

  // Runs the pass that enqueue puts on the stream. The first pass of a shape runs as it is: it loads kernels
  // and measures products, which a stream that records cannot. The second one is recorded.
  void Run(const PassShape& shape, cudaStream_t stream, const std::function<void()>& enqueue);

  // Forgets all: the memory that they were recorded with is gone. Nothing may be running.
  void Clear();

  size_t recorded() const;

 private:
  struct Entry {
    PassShape shape;
    GraphExec graph;  // null before the second pass
  };

  static GraphExec Record(cudaStream_t stream, const std::function<void()>& enqueue);

  size_t most_;
  std::list<Entry> entries_;  // the one that was used last comes first
  std::map<PassShape, std::list<Entry>::iterator> found_;
};

}  // namespace clip::cuda

#endif  // CLIP_CUDA_GRAPHS_H_
