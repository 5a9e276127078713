#include "preprocess_pool.h"

#include <utility>

namespace clip::pictures {

WorkerPool::WorkerPool(int threads, std::function<void(int)> begin) {
  threads_.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i, begin] { Work(i, begin); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Work(int worker, const std::function<void(int)>& begin) {
  std::unique_lock<std::mutex> lock(mutex_);
  bool begun = false;
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || next_ < count_; });
    if (stop_) return;
    const size_t i = next_++;
    const auto* body = body_;
    ++running_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (!begun) begin(worker);
      begun = true;
      (*body)(worker, i);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --running_;
    if (failure != nullptr) {
      if (failure_ == nullptr) failure_ = failure;
      next_ = count_;
    }
    if (running_ == 0 && next_ >= count_) done_.notify_all();
  }
}

void WorkerPool::ForEach(size_t count, const std::function<void(int, size_t)>& body) {
  if (count == 0) return;
  std::unique_lock<std::mutex> lock(mutex_);
  body_ = &body;
  next_ = 0;
  count_ = count;
  failure_ = nullptr;
  wake_.notify_all();
  done_.wait(lock, [&] { return running_ == 0 && next_ >= count_; });
  next_ = count_ = 0;
  body_ = nullptr;
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace clip::pictures
