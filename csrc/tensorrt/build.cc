#include "build.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>

#include "content.h"
#include "engine_file.h"

namespace clip::trt {
namespace {

constexpr int kDefaultLevel = 3, kMostLevel = 5;
// Threads that compile kernels; more of them time one another's noise.
constexpr unsigned kMostThreads = 8;

// Writes each step of a build to the standard error, for whoever wonders why it takes minutes.
class Progress : public nvinfer1::IProgressMonitor {
 public:
  void phaseStart(const char* phase, const char* parent, int32_t steps) noexcept override {
    fprintf(stderr, "tensorrt: %s%s%s (%d steps)\n", parent == nullptr ? "" : parent,
            parent == nullptr ? "" : ": ", phase, steps);
  }
  bool stepComplete(const char*, int32_t) noexcept override { return true; }
  void phaseFinish(const char* phase) noexcept override { fprintf(stderr, "tensorrt: %s is done\n", phase); }
};

std::string ParserErrors(const nvonnxparser::IParser& parser) {
  std::string text;
  for (int i = 0; i < parser.getNbErrors(); ++i) {
    const nvonnxparser::IParserError& error = *parser.getError(i);
    text += text.empty() ? "" : "; ";
    if (error.nodeOperator() != nullptr && error.nodeOperator()[0] != '\0') {
      text += std::string("node ") + error.nodeName() + " (" + error.nodeOperator() + "): ";
    }
    text += error.desc();
  }
  return text;
}

uint32_t NetworkFlags() {
#if NV_TENSORRT_MAJOR >= 11
  return 0;  // every network is strongly typed
#else
  return 1u << static_cast<uint32_t>(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED);
#endif
}

// The engine's kernels are chosen for these shapes.
void AddProfiles(nvinfer1::IBuilder* builder, nvinfer1::IBuilderConfig* config, const Signature& signature,
                 const std::vector<Profile>& profiles) {
  for (const Profile& wanted : profiles) {
    nvinfer1::IOptimizationProfile* profile = builder->createOptimizationProfile();
    if (profile == nullptr) FailWithLog(CLIP_INTERNAL, "TensorRT makes no optimisation profile");
    for (size_t i = 0; i < wanted.inputs.size(); ++i) {
      const char* name = signature.inputs[i].name.c_str();
      const Range& range = wanted.inputs[i];
      bool taken = profile->setDimensions(name, nvinfer1::OptProfileSelector::kMIN, DimsOf(range.least)) &&
                   profile->setDimensions(name, nvinfer1::OptProfileSelector::kOPT, DimsOf(range.best)) &&
                   profile->setDimensions(name, nvinfer1::OptProfileSelector::kMAX, DimsOf(range.most));
      if (!taken)
        FailWithLog(CLIP_INTERNAL, "TensorRT refuses the shapes ", Describe({wanted}), "of its input ", name);
    }
    if (config->addOptimizationProfile(profile) < 0) {
      FailWithLog(CLIP_INTERNAL, "TensorRT refuses the optimisation profile ", Describe({wanted}));
    }
  }
}

// A cache that does not fit this device or version counts as empty.
void UseTimings(nvinfer1::IBuilderConfig* config, const std::string& path,
                Own<nvinfer1::ITimingCache>* cache) {
  std::string known = ReadWhole(path);
  cache->reset(config->createTimingCache(known.data(), known.size()));
  if (*cache != nullptr && config->setTimingCache(**cache, false)) return;
  cache->reset(config->createTimingCache(nullptr, 0));
  if (*cache != nullptr) config->setTimingCache(**cache, false);
}

void KeepTimings(const nvinfer1::ITimingCache& cache, const std::string& path) {
  Own<nvinfer1::IHostMemory> bytes(cache.serialize());
  if (bytes == nullptr) return;
  try {
    WriteAtOnce(path, {std::string_view(static_cast<const char*>(bytes->data()), bytes->size())});
  } catch (const Error&) {
    // Only the next build takes longer.
  }
}

}  // namespace

int BuilderLevel() {
  const char* wanted = std::getenv("CLIPD_TENSORRT_LEVEL");
  if (wanted == nullptr || wanted[0] == '\0') return kDefaultLevel;
  int level = -1;
  auto read = std::from_chars(wanted, wanted + std::strlen(wanted), level);
  if (read.ec != std::errc() || *read.ptr != '\0' || level < 0 || level > kMostLevel) {
    Fail(CLIP_INVALID_ARGUMENT, "CLIPD_TENSORRT_LEVEL is \"", wanted, "\"; 0 (quick to build) to ",
         kMostLevel, " (quick to run) is right");
  }
  return level;
}

std::vector<Profile> ProfilesFor(const SessionOptions& options, const SessionInfo& session) {
  if (session.tower == CLIP_TOWER_IMAGE && session.image_size == 0) {
    Fail(CLIP_INVALID_ARGUMENT, "the graph ", options.graph_path,
         " takes pictures of any size; TensorRT needs one that fixes height and width");
  }
  return FitProfiles({KindOf(session), options.max_rows, options.max_length, session.image_size});
}

Parsed Parse(const Library& library, const SessionOptions& options, const GraphFacts& facts,
             SessionInfo* session) {
  TheLog().Clear();
  Parsed parsed;
  parsed.builder = NewBuilder(library);
  parsed.network.reset(parsed.builder->createNetworkV2(NetworkFlags()));
  if (parsed.network == nullptr) FailWithLog(CLIP_INTERNAL, "TensorRT makes no network");
  parsed.parser = NewParser(library, *parsed.network);
  std::string graph = ForTensorRt(Mapped(options.graph_path).bytes(), facts);
  // External weights are looked for beside this path, which must be absolute.
  std::string path = std::filesystem::absolute(options.graph_path).string();
  if (!parsed.parser->parse(graph.data(), graph.size(), path.c_str())) {
    std::string reason = ParserErrors(*parsed.parser);
    Fail(CLIP_INVALID_ARGUMENT, "TensorRT cannot read the graph ", options.graph_path, ": ",
         reason.empty() ? TheLog().Take() : reason);
  }
  CheckSignature(SignatureOf(*parsed.network), options, session);
  return parsed;
}

Own<nvinfer1::IHostMemory> Build(Parsed* parsed, const SessionOptions& options,
                                 const std::vector<Profile>& profiles, const std::string& timing_cache) {
  static std::mutex building;
  std::lock_guard<std::mutex> lock(building);
  TheLog().Clear();
  Progress progress;
  Own<nvinfer1::ITimingCache> timings;  // must outlive what uses it
  Own<nvinfer1::IBuilderConfig> config(parsed->builder->createBuilderConfig());
  if (config == nullptr) FailWithLog(CLIP_INTERNAL, "TensorRT makes no configuration");
  // fp32 is fp32: TF32 keeps 10 bits of a factor.
  config->clearFlag(nvinfer1::BuilderFlag::kTF32);
  config->setBuilderOptimizationLevel(BuilderLevel());
  // Lanes overlap one another; streams beside a lane's own would need memory and synchronisation.
  config->setMaxAuxStreams(0);
  parsed->builder->setMaxThreads(
      static_cast<int32_t>(std::clamp(std::thread::hardware_concurrency(), 1u, kMostThreads)));
  if (TheLog().Shows(nvinfer1::ILogger::Severity::kINFO)) config->setProgressMonitor(&progress);
  AddProfiles(parsed->builder.get(), config.get(), SignatureOf(*parsed->network), profiles);
  if (!timing_cache.empty()) UseTimings(config.get(), timing_cache, &timings);
  Own<nvinfer1::IHostMemory> plan(parsed->builder->buildSerializedNetwork(*parsed->network, *config));
  if (plan == nullptr)
    FailWithLog(CLIP_INTERNAL, "TensorRT cannot build an engine of the graph ", options.graph_path);
  if (timings != nullptr) KeepTimings(*timings, timing_cache);
  return plan;
}

}  // namespace clip::trt
