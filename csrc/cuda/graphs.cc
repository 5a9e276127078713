#include "graphs.h"

#include <algorithm>

namespace clip::cuda {

void Graphs::Run(const PassShape& shape, cudaStream_t stream, const std::function<void()>& enqueue) {
  auto found = found_.find(shape);
  if (found == found_.end()) {
    enqueue();
    if (most_ == 0) return;
    if (entries_.size() >= most_) {
      found_.erase(entries_.back().shape);
      entries_.pop_back();
    }
    entries_.push_front({shape, nullptr});
    found_[shape] = entries_.begin();
    return;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  Entry& entry = entries_.front();
  if (entry.graph == nullptr) entry.graph = Record(stream, enqueue);
  Check(cudaGraphLaunch(entry.graph.get(), stream), "launching a graph");
}

GraphExec Graphs::Record(cudaStream_t stream, const std::function<void()>& enqueue) {
  // Of this thread only: what other lanes do meanwhile, taking memory for example, is none of the stream's
  // business.
  Check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a graph");
  cudaGraph_t recorded = nullptr;
  try {
    enqueue();
  } catch (...) {
    if (cudaStreamEndCapture(stream, &recorded) == cudaSuccess) cudaGraphDestroy(recorded);
    cudaGetLastError();
    throw;
  }
  Check(cudaStreamEndCapture(stream, &recorded), "recording a graph");
  Graph graph(recorded);
  cudaGraphExec_t executable = nullptr;
  Check(cudaGraphInstantiate(&executable, graph.get(), 0), "making a graph ready");
  return GraphExec(executable);
}

void Graphs::Clear() {
  found_.clear();
  entries_.clear();
}

size_t Graphs::recorded() const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.graph != nullptr; }));
}

}  // namespace clip::cuda
