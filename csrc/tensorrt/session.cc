#include "session.h"

#include "build.h"
#include "content.h"
#include "lane.h"

namespace clip::trt {
namespace {

clip_precision InForce(const SessionOptions& options, const GraphFacts& facts, const cu::Device& device) {
  clip_precision written = facts.precision;
  if (options.precision != CLIP_PRECISION_AUTO && options.precision != written) {
    Fail(CLIP_UNAVAILABLE, "precision ", PrecisionName(options.precision), " asked, but the graph ",
         options.graph_path, " is written in ", PrecisionName(written),
         ", and TensorRT computes what the graph says; ask for auto or ", PrecisionName(written),
         ", or write the graph in ", PrecisionName(options.precision));
  }
  uint32_t computed = cu::DevicePrecisions(device);
  if ((computed & (1u << written)) == 0) {
    Fail(CLIP_UNAVAILABLE, "the graph ", options.graph_path, " is written in ", PrecisionName(written),
         ", but ", cu::DeviceText(device), " computes ", cu::PrecisionNames(computed));
  }
  return written;
}

Making MakingOf(const Library& library, const cu::Device& device, const SessionOptions& options,
                const GraphFacts& facts) {
  Making making;
  making.tensorrt = library.version();
  making.gpu = device.name;
  making.capability = std::to_string(device.major) + "." + std::to_string(device.minor);
  making.graph = ContentHash(options.graph_path, facts.weight_files);
  making.precision = PrecisionName(facts.precision);
  making.batches = "rows " + std::to_string(options.max_rows) + ", length " +
                   std::to_string(options.max_length) + ", profiles " + std::to_string(kProfilesVersion);
  making.level = std::to_string(BuilderLevel());
  return making;
}

}  // namespace

TensorRtSession::TensorRtSession(const Library& library, const cu::Driver& driver,
                                 const SessionOptions& options)
    : library_(library), options_(options) {
  cu::Device device = cu::FindDevice(driver, options.device);
  GraphFacts facts = ReadFacts(options.graph_path);
  info_.tower = options.tower;
  info_.precision = InForce(options, facts, device);
  info_.device = cu::DeviceText(device);
  primary_ = cu::Primary::Retain(driver, device);
  Making wanted = MakingOf(library, device, options, facts);
  std::unique_ptr<Engine> engine = LoadBeside(wanted);
  if (engine == nullptr && !options.cache_dir.empty())
    engine = LoadCached(EngineInCache(options.cache_dir, wanted));
  info_.cached = engine != nullptr;
  if (engine == nullptr) engine = BuildNew(facts, wanted);
  engine_ = std::move(engine);
}

std::unique_ptr<Engine> TensorRtSession::LoadBeside(const Making& wanted) {
  std::string path = EngineBeside(options_.graph_path);
  std::optional<EngineFile> file = ReadEngine(path);
  if (!file) return nullptr;
  // Somebody put it there: to build another one in silence would take minutes that nobody expects.
  if (std::string misfit = Misfit(file->making, wanted); !misfit.empty()) {
    Fail(CLIP_UNAVAILABLE, "the engine ", path, " cannot be used: ", misfit,
         "; remove it, or build it on this machine");
  }
  auto engine = std::make_unique<Engine>(library_, primary_, file->plan);
  Check(*engine);
  return engine;
}

std::unique_ptr<Engine> TensorRtSession::LoadCached(const std::string& path) {
  try {
    std::optional<EngineFile> file = ReadEngine(path);
    if (!file) return nullptr;
    auto engine = std::make_unique<Engine>(library_, primary_, file->plan);
    Check(*engine);
    return engine;
  } catch (const Error& fault) {
    if (fault.status() == CLIP_OUT_OF_MEMORY) throw;
    return nullptr;  // a damaged cache must not keep the model from loading; what else is wrong shows while
                     // building
  }
}

std::unique_ptr<Engine> TensorRtSession::BuildNew(const GraphFacts& facts, const Making& making) {
  cu::Current current(*primary_);
  Own<nvinfer1::IHostMemory> plan;
  {
    Parsed parsed = Parse(library_, options_, facts, &info_);
    std::string timings = options_.cache_dir.empty() ? "" : TimingCache(options_.cache_dir, making);
    plan = Build(&parsed, options_, ProfilesFor(options_, info_), timings);
  }
  std::string_view bytes(static_cast<const char*>(plan->data()), plan->size());
  auto engine = std::make_unique<Engine>(library_, primary_, bytes);
  Check(*engine);
  if (!options_.cache_dir.empty()) {
    // A cache that cannot be written costs the next start its minutes, not this one its model.
    AtEdge(nullptr, 0, [&] { WriteEngine(EngineInCache(options_.cache_dir, making), making, bytes); });
  }
  return engine;
}

void TensorRtSession::Check(const Engine& engine) {
  CheckSignature(engine.signature(), options_, &info_);
  std::vector<Profile> wanted = ProfilesFor(options_, info_);
  // The largest batch of all is that of the last profile.
  std::vector<Shape> largest;
  for (const Range& range : wanted.back().inputs) largest.push_back(range.most);
  if (ChooseProfile(engine.profiles(), largest) < 0) {
    Fail(CLIP_INVALID_ARGUMENT, "the engine was built for batches of at most ", Largest(engine.profiles()),
         "; batches of ", Describe(largest), " are wanted");
  }
}

std::unique_ptr<Lane> TensorRtSession::NewLane() { return std::make_unique<TensorRtLane>(engine_); }

}  // namespace clip::trt
