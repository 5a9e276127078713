#include "binding.h"

#include <oneapi/tbb/task_scheduler_observer.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <openvino/op/relu.hpp>
#include <thread>

#include "cpus.h"
#include "error.h"

namespace clip {
namespace {

// How long a stream waits for the others to run a request too. It is only reached when OpenVINO runs two
// requests on one stream, which then ends as an error.
constexpr std::chrono::seconds kPatience{60};

// The binding whose observer the calling thread has met last, while it is in an arena.
thread_local const Binding* bound_by = nullptr;

}  // namespace

// It observes the arena in which the thread is that calls observe(true).
class Binding::Observer : public tbb::task_scheduler_observer {
 public:
  explicit Observer(const Binding& binding) : binding_(binding) {}
  ~Observer() override { observe(false); }

  void on_scheduler_entry(bool worker) override {
    SetThreadCpus(binding_.cpus_);
    bound_by = &binding_;
  }

  void on_scheduler_exit(bool worker) override {
    bound_by = nullptr;
    // TBB has given the thread the processors back that it came with: a stream's own thread may have been
    // made for another session, and is woken where it slept.
    SetThreadCpus(worker ? UnboundCpus() : binding_.cpus_);
  }

 private:
  const Binding& binding_;
};

// Where the streams of one Attach wait for each other, so that each of them runs one request.
struct Binding::Meeting {
  std::thread::id caller = std::this_thread::get_id();
  uint32_t streams;
  std::mutex mutex;
  std::condition_variable changed;
  uint32_t arrived = 0;
  bool over = false;  // a request has failed: nobody waits any more

  explicit Meeting(uint32_t streams) : streams(streams) {}

  void Arrive() {
    std::unique_lock<std::mutex> lock(mutex);
    ++arrived;
    changed.notify_all();
    changed.wait_for(lock, kPatience, [&] { return over || arrived >= streams; });
  }

  void End() {
    std::lock_guard<std::mutex> lock(mutex);
    over = true;
    changed.notify_all();
  }
};

// Of an output tensor. A stream asks for the memory when it knows how large the output is, and so calls out
// of its arena: the one place where OpenVINO lets the program in there.
struct Binding::Allocator {
  std::shared_ptr<Meeting> meeting;
  Binding* binding;

  void* allocate(size_t bytes, size_t alignment) {
    // The tensor itself begins with no rows, in the thread that makes it.
    if (std::this_thread::get_id() != meeting->caller) binding->Enter(*meeting);
    constexpr size_t kLine = 64;
    alignment = std::max(alignment, kLine);
    void* memory = std::aligned_alloc(alignment, (bytes / alignment + 1) * alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  void deallocate(void* memory, size_t, size_t) noexcept { std::free(memory); }
  bool is_equal(const Allocator& other) const { return meeting == other.meeting; }
};

Binding::Binding(std::vector<int> cpus) : cpus_(std::move(cpus)) {}

Binding::~Binding() = default;

void Binding::Enter(Meeting& meeting) {
  if (bound_by != this) {
    auto observer = std::make_unique<Observer>(*this);
    observer->observe(true);  // calls on_scheduler_entry for this thread at once
    std::lock_guard<std::mutex> lock(mutex_);
    observers_.push_back(std::move(observer));
  }
  meeting.Arrive();
}

void Binding::Attach(ov::CompiledModel& model, const std::vector<ov::Tensor>& inputs, size_t columns,
                     uint32_t streams) {
  // OpenVINO makes fewer where the machine has fewer processors.
  streams =
      std::min(streams, static_cast<uint32_t>(std::max<int32_t>(1, model.get_property(ov::num_streams))));
  auto meeting = std::make_shared<Meeting>(streams);
  std::vector<ov::InferRequest> requests;
  for (uint32_t i = 0; i < streams; ++i) {
    ov::InferRequest request = model.create_infer_request();
    for (size_t n = 0; n < inputs.size(); ++n) request.set_input_tensor(n, inputs[n]);
    request.set_output_tensor(
        ov::Tensor(ov::element::f32, ov::Shape{0, columns}, ov::Allocator(Allocator{meeting, this})));
    request.set_callback([meeting](std::exception_ptr failure) {
      if (failure) meeting->End();
    });
    requests.push_back(std::move(request));
  }
  std::exception_ptr failure;
  for (auto& request : requests) request.start_async();
  for (auto& request : requests) {  // all of them: they use what lies here
    try {
      request.wait();
    } catch (...) {
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  std::lock_guard<std::mutex> lock(meeting->mutex);
  if (meeting->arrived < streams) {
    Fail(CLIP_INTERNAL, "cannot keep OpenVINO on cpus ", FormatCpus(cpus_), ": ", meeting->arrived, " of ",
         streams, " streams could be reached");
  }
}

void Binding::Prepare(ov::Core& core, const ov::AnyMap& settings, uint32_t streams) {
  auto input = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, ov::PartialShape{-1, 1});
  auto output = std::make_shared<ov::op::v0::Relu>(input);
  auto model = std::make_shared<ov::Model>(ov::OutputVector{output}, ov::ParameterVector{input});
  ov::CompiledModel compiled = core.compile_model(model, "CPU", settings);
  ov::Tensor one(ov::element::f32, ov::Shape{1, 1});
  one.data<float>()[0] = 0;
  Attach(compiled, {one}, 1, streams);
}

}  // namespace clip
