#include "session.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

#include "files.h"
#include "options.h"

namespace clip {
namespace {

// A stream keeps the kernels that it made for a shape, some 0.4 MB for each shape [rows, length] that it has
// seen. With OpenVINO's own limit of 5000 entries this grows past 400 MB a stream; 2500 hold about 400 shapes
// and 150 MB. (The name is not in OpenVINO's headers, which document only a part of the processor's
// properties.)
constexpr char kKernelCacheProperty[] = "CPU_RUNTIME_CACHE_CAPACITY";
constexpr int kKernelCacheEntries = 2500;

ov::element::Type ElementType(clip_precision precision) {
  switch (precision) {
    case CLIP_PRECISION_BF16:
      return ov::element::bf16;
    case CLIP_PRECISION_FP16:
      return ov::element::f16;
    default:
      return ov::element::f32;
  }
}

std::string TypeName(const ov::element::Type& type) {
  if (type == ov::element::u8) return "uint8";
  if (type == ov::element::i32) return "int32";
  if (type == ov::element::f32) return "float32";
  return type.to_string();
}

template <typename Port>
Signature::Port PortOf(const Port& port) {
  Signature::Port described;
  described.name = port.get_node()->get_friendly_name();
  described.type = TypeName(port.get_element_type());
  const ov::PartialShape& shape = port.get_partial_shape();
  described.ranked = shape.rank().is_static();
  if (described.ranked) {
    for (const ov::Dimension& d : shape) described.shape.push_back(d.is_static() ? d.get_length() : -1);
  }
  return described;
}

// The exceptions of OpenVINO carry the place in its source and a stack of "Check ... failed" before the
// reason.
std::string Reason(const std::exception& failure) {
  std::string text = failure.what();
  if (text.rfind("Exception from ", 0) == 0) {
    if (size_t line = text.find('\n'); line != std::string::npos) text.erase(0, line + 1);
  }
  return text;
}

[[noreturn]] void Refuse(const SessionOptions& options, const std::exception& failure) {
  Fail(CLIP_INVALID_ARGUMENT, "OpenVINO cannot compile the graph ", options.graph_path, ": ",
       Reason(failure));
}

class OpenVinoLane : public Lane {
 public:
  OpenVinoLane(ov::InferRequest request, const SessionInfo& session,
               std::shared_ptr<const Embedding> embedding)
      : request_(std::move(request)),
        embedding_(std::move(embedding)),
        dim_(session.dim),
        type_(session.tower == CLIP_TOWER_IMAGE ? ov::element::u8 : ov::element::i32) {}

  void Run(const Batch& batch) override {
    ov::Shape rows_dim = {batch.rows, dim_};
    try {
      size_t first = embedding_ == nullptr ? 0 : 1;  // of the batch's inputs that is the graph's first
      for (size_t i = first; i < batch.inputs.size(); ++i) {
        const Batch::Input& input = batch.inputs[i];
        request_.set_input_tensor(
            i - first, ov::Tensor(type_, ov::Shape(input.shape.begin(), input.shape.end()), input.data));
      }
      if (embedding_ != nullptr) {
        request_.set_input_tensor(batch.inputs.size() - 1, embedding_->Rows(batch.inputs[0], &tokens_));
      }
      request_.set_output_tensor(ov::Tensor(ov::element::f32, rows_dim, batch.output));
      // Not infer(): that would run in a stream made for the calling thread, and Go calls from any of its
      // threads.
      request_.start_async();
      request_.wait();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const Error&) {
      throw;
    } catch (const std::exception& failure) {
      Fail(CLIP_INTERNAL, "OpenVINO cannot run a batch of ", Describe(batch), ": ", Reason(failure));
    }
    ov::Tensor output = request_.get_output_tensor();
    if (output.get_shape() != rows_dim) {
      Fail(CLIP_INTERNAL, "the graph made ", output.get_shape(), " from ", batch.rows, " rows; expected ",
           rows_dim);
    }
    if (output.data() != batch.output)
      std::memcpy(batch.output, output.data(), batch.output_count * sizeof(float));
  }

 private:
  ov::InferRequest request_;
  std::shared_ptr<const Embedding> embedding_;
  std::vector<char> tokens_;
  size_t dim_;
  ov::element::Type type_;
};

}  // namespace

OpenVinoSession::OpenVinoSession(ov::Core& core, const SessionOptions& options, clip_precision in_force,
                                 const std::string& device) {
  info_.precision = in_force;
  info_.device = device;
  if (options.nice == 0) {
    Open(core, options);
    return;
  }
  // The threads of its streams are as nice as the one that makes them, which could not take it back.
  std::exception_ptr failure;
  std::thread maker([&] {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), static_cast<int>(options.nice));
    try {
      Open(core, options);
    } catch (...) {
      failure = std::current_exception();
    }
  });
  maker.join();
  if (failure != nullptr) std::rethrow_exception(failure);
}

void OpenVinoSession::Open(ov::Core& core, const SessionOptions& options) {
  clip_precision in_force = info_.precision;
  Compile(core, options);
  info_.cached = model_.get_property(ov::loaded_from_cache);
  ov::element::Type computed = model_.get_property(ov::hint::inference_precision);
  if (computed != ElementType(in_force)) {
    Fail(CLIP_UNAVAILABLE, "OpenVINO computes ", options.graph_path, " in ", computed, " and not in ",
         PrecisionName(in_force), " as asked");
  }
  // Before and after: warming up reads another part of the weights, and what is resident at the same time is
  // what counts.
  ReleaseMappedWeights(options.graph_path);
  WarmUp(options.lanes);
  ReleaseMappedWeights(options.graph_path);
}

template <typename Ports>
void OpenVinoSession::ReadSignature(const Ports& inputs, const Ports& outputs,
                                    const SessionOptions& options) {
  Signature signature;
  for (const auto& port : inputs) signature.inputs.push_back(PortOf(port));
  for (const auto& port : outputs) signature.outputs.push_back(PortOf(port));
  CheckSignature(signature, options, &info_);
}

ov::AnyMap OpenVinoSession::Settings(ov::Core& core, const SessionOptions& options) {
  ov::AnyMap settings = {
      ov::num_streams(static_cast<int32_t>(options.lanes)),
      ov::inference_num_threads(static_cast<int32_t>(options.lanes * options.threads)),
      ov::hint::inference_precision(ElementType(info_.precision)),
      // The server's own threads share the cores; a thread pinned to one of them would wait behind them while
      // another core is idle. (Binding keeps threads on a set of cores, within which they move.)
      ov::hint::enable_cpu_pinning(false),
  };
  settings.insert({kKernelCacheProperty, kKernelCacheEntries});
  if (!options.cpus.empty()) {
    binding_ = std::make_unique<Binding>(options.cpus);
    binding_->Prepare(core, settings, options.lanes);
  }
  return settings;
}

// Compiles a text tower that packs, whose table of embeddings stays outside; false for any other graph. There
// is no cache for it: what OpenVINO would keep without the weights saves no time.
bool OpenVinoSession::CompilePacking(ov::Core& core, const SessionOptions& options,
                                     const ov::AnyMap& settings) {
  if (options.tower != CLIP_TOWER_TEXT) return false;
  std::shared_ptr<ov::Model> graph = core.read_model(options.graph_path);
  if (graph->inputs().size() == 1) return false;
  ReadSignature(graph->inputs(), graph->outputs(), options);
  embedding_ = Embedding::TakeOut(graph);
  if (embedding_ == nullptr) return false;
  model_ = core.compile_model(graph, "CPU", settings);
  return true;
}

void OpenVinoSession::Compile(ov::Core& core, const SessionOptions& options) {
  ov::AnyMap settings = Settings(core, options);
  try {
    if (CompilePacking(core, options, settings)) return;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    Refuse(options, failure);
  }
  std::string folder =
      CacheFolder(options.cache_dir, options.graph_path,
                  {"openvino", ov::get_openvino_version().buildNumber,
                   core.get_property("CPU", ov::device::full_name), PrecisionName(info_.precision)});
  if (!folder.empty()) {
    ov::AnyMap cached = settings;
    cached.insert(ov::cache_dir(folder));
    // With OPTIMIZE_SIZE, weights stay in the graph's own files: 1 MB a tower instead of 1 GB, and loaded as
    // fast. Weights inside the graph are not found again that way.
    cached.insert(ov::cache_mode(HasExternalWeights(options.graph_path) ? ov::CacheMode::OPTIMIZE_SIZE
                                                                        : ov::CacheMode::OPTIMIZE_SPEED));
    try {
      model_ = core.compile_model(options.graph_path, "CPU", cached);
      ReadSignature(model_.inputs(), model_.outputs(), options);
      return;
    } catch (const Error&) {
      throw;
    } catch (const std::exception&) {
      // A damaged or unwritable cache must not keep the model from loading; what else is wrong shows below.
    }
  }
  try {
    model_ = core.compile_model(options.graph_path, "CPU", settings);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& failure) {
    Refuse(options, failure);
  }
  ReadSignature(model_.inputs(), model_.outputs(), options);
}

// The first run packs weights and makes kernels, which takes as long as compiling does: it belongs to
// loading. As many requests at once as there are streams, so that each stream gets one.
void OpenVinoSession::WarmUp(uint32_t lanes) {
  bool image = info_.tower == CLIP_TOWER_IMAGE;
  if (image && info_.image_size == 0) return;
  ov::Shape shape = image ? ov::Shape{1, info_.image_size, info_.image_size, 3} : ov::Shape{1, 8};
  std::vector<ov::Tensor> inputs;
  for (const auto& port : model_.inputs()) {
    // A text tower that packs has one with a number for each text, and rows of embeddings in place of ids.
    const ov::PartialShape& dimensions = port.get_partial_shape();
    ov::Shape one = dimensions.size() == 1 ? ov::Shape{1} : shape;
    if (!image && dimensions.size() == 3) one.push_back(static_cast<size_t>(dimensions[2].get_length()));
    inputs.emplace_back(port.get_element_type(), one);
    std::memset(inputs.back().data(), 0, inputs.back().get_byte_size());
  }
  if (binding_ != nullptr) return binding_->Attach(model_, inputs, info_.dim, lanes);
  std::vector<ov::InferRequest> requests;
  for (uint32_t i = 0; i < lanes; ++i) {
    requests.push_back(model_.create_infer_request());
    for (size_t n = 0; n < inputs.size(); ++n) requests.back().set_input_tensor(n, inputs[n]);
  }
  for (auto& request : requests) request.start_async();
  for (auto& request : requests) request.wait();
}

std::unique_ptr<Lane> OpenVinoSession::NewLane() {
  return std::make_unique<OpenVinoLane>(model_.create_infer_request(), info_, embedding_);
}

}  // namespace clip
