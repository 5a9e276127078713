// A CUDA driver in the processor's own memory, for tests: device memory is host memory, a stream runs what
// was put into it only when somebody waits for it (so that a missing wait shows as a stale answer), a stream
// that captures records instead of running, and everything that is handed out is counted until it is given
// back.
#ifndef CLIP_TESTS_TENSORRT_FAKE_DRIVER_H_
#define CLIP_TESTS_TENSORRT_FAKE_DRIVER_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cudriver.h"

struct CUgraph_st {
  std::vector<std::function<void()>> work;
};
struct CUgraphExec_st {
  std::vector<std::function<void()>> work;
};
struct CUstream_st {
  std::vector<std::function<void()>> work;
  CUgraph_st* capture = nullptr;
  bool broken = false;  // the capture was invalidated
};
struct CUevent_st {
  CUstream_st* stream = nullptr;
};
struct CUctx_st {
  int device = 0;
};

namespace clip_test {

struct FakeGpu {
  std::string name = "NVIDIA H200", pci = "0000:65:00.0";
  int major = 9, minor = 0;
  size_t memory = size_t{140} << 30;
};

// The state behind the table. One at a time; the table's functions reach it as FakeDriver::Now().
class FakeDriver {
 public:
  FakeDriver();
  ~FakeDriver();
  static FakeDriver& Now();

  // The table. Its functions go on working after the fake is gone as far as giving back needs.
  const clip::cu::Driver& table() const { return table_; }

  // The nth call of this name from now on (1: the next one) gives this result, and only that one.
  void FailCall(const std::string& name, int nth, clip::cu::Result result);
  // Puts work into the stream, as a kernel launch does; false when the stream's capture does not allow it.
  bool Launch(CUstream_st* stream, std::function<void()> work);

  // How often each call was made, and how many of what it made still live ("MemAlloc": live allocations).
  std::map<std::string, int> calls, live;
  std::vector<std::string> log;  // calls on streams and graphs, in order
  std::vector<FakeGpu> gpus{1};
  CUctx_st context;
  int current = 0;  // contexts on the stack; every call but those of devices needs one

  clip::cu::Result Call(const std::string& name, bool needs_context = true);
  // Sum of what lives, and what it is.
  std::string Leaks() const;

 private:
  clip::cu::Driver table_;
  std::map<std::string, std::pair<int, clip::cu::Result>> failures_;
};

}  // namespace clip_test

#endif  // CLIP_TESTS_TENSORRT_FAKE_DRIVER_H_
