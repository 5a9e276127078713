// A few threads that work through the pictures of a batch.
#ifndef CLIP_CUDA_PREPROCESS_POOL_H_
#define CLIP_CUDA_PREPROCESS_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace clip::pictures {

class WorkerPool {
 public:
  // `begin` is called once on each thread, with its number, before any work.
  WorkerPool(int threads, std::function<void(int worker)> begin);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int threads() const { return static_cast<int>(threads_.size()); }

  // Calls body(worker, i) for i from 0 to count - 1, each i once, on any of the threads, and returns when all
  // are done. The first exception of a body is thrown here; the rest of the work is then left out. One call
  // at a time.
  void ForEach(size_t count, const std::function<void(int worker, size_t i)>& body);

 private:
  void Work(int worker, const std::function<void(int)>& begin);

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int, size_t)>* body_ = nullptr;
  size_t next_ = 0, count_ = 0, running_ = 0;
  bool stop_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace clip::pictures

#endif  // CLIP_CUDA_PREPROCESS_POOL_H_
