#include "plugin.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "cpus.h"
#include "options.h"

struct clip_session {
  std::vector<int> cpus;
  std::unique_ptr<clip::Session> session;
};

struct clip_lane {
  std::unique_ptr<clip::Lane> lane;
  clip::SessionInfo info;
};

namespace clip {
namespace {

Runtime* runtime = nullptr;  // set once by MakeApi

void Copy(const std::string& from, char* to, size_t capacity) { WriteError(from.c_str(), to, capacity); }

void CheckSize(const char* name, uint32_t got, size_t want) {
  if (got < want) Fail(CLIP_INVALID_ARGUMENT, name, ".size is ", got, "; this ABI needs at least ", want);
}

clip_status Describe(clip_runtime_info* info, char* error, size_t capacity) {
  return AtEdge(error, capacity, [&] {
    if (info == nullptr) Fail(CLIP_INVALID_ARGUMENT, "info is null");
    CheckSize("clip_runtime_info", info->size, sizeof(*info));
    RuntimeInfo made = runtime->Describe();
    std::string devices;
    for (const std::string& device : made.devices) devices += (devices.empty() ? "" : "\n") + device;
    Copy(made.name, info->name, sizeof(info->name));
    Copy(made.version, info->version, sizeof(info->version));
    // Not through WriteError, which would join the lines.
    snprintf(info->devices, sizeof(info->devices), "%s", devices.c_str());
    info->precisions = made.precisions;
  });
}

clip_status SessionCreate(const clip_session_options* options, clip_session** session,
                          clip_session_info* info, char* error, size_t capacity) {
  return AtEdge(error, capacity, [&] {
    if (options == nullptr || session == nullptr || info == nullptr) {
      Fail(CLIP_INVALID_ARGUMENT, "options, session and info must not be null");
    }
    *session = nullptr;
    CheckSize("clip_session_options", options->size, sizeof(*options));
    CheckSize("clip_session_info", info->size, sizeof(*info));
    auto made = std::make_unique<clip_session>();
    SessionOptions checked = CheckOptions(*options);
    made->cpus = checked.cpus;
    Affinity here(made->cpus);
    made->session = runtime->NewSession(checked);
    const SessionInfo& in_force = made->session->info();
    info->precision = in_force.precision;
    info->dim = in_force.dim;
    info->image_size = in_force.image_size;
    info->cached = in_force.cached ? 1 : 0;
    info->packs = in_force.packs ? 1 : 0;
    Copy(in_force.device, info->device, sizeof(info->device));
    *session = made.release();
  });
}

void SessionDestroy(clip_session* session) {
  AtEdge(nullptr, 0, [&] { delete session; });
}

clip_status LaneCreate(clip_session* session, clip_lane** lane, char* error, size_t capacity) {
  return AtEdge(error, capacity, [&] {
    if (session == nullptr || lane == nullptr)
      Fail(CLIP_INVALID_ARGUMENT, "session and lane must not be null");
    *lane = nullptr;
    auto made = std::make_unique<clip_lane>();
    made->info = session->session->info();
    Affinity here(session->cpus);
    made->lane = session->session->NewLane();
    *lane = made.release();
  });
}

clip_status LaneRun(clip_lane* lane, const clip_batch* batch, char* error, size_t capacity) {
  return AtEdge(error, capacity, [&] {
    if (lane == nullptr || batch == nullptr) Fail(CLIP_INVALID_ARGUMENT, "lane and batch must not be null");
    CheckSize("clip_batch", batch->size, sizeof(*batch));
    lane->lane->Run(CheckBatch(*batch, lane->info));
  });
}

void LaneDestroy(clip_lane* lane) {
  AtEdge(nullptr, 0, [&] { delete lane; });
}

constexpr clip_runtime_api kApi = {
    sizeof(clip_runtime_api), CLIP_RUNTIME_ABI, Describe, SessionCreate,
    SessionDestroy,           LaneCreate,       LaneRun,  LaneDestroy,
};

}  // namespace

const clip_runtime_api* MakeApi(uint32_t abi, Runtime* (*make)(), char* error, size_t capacity) {
  static std::mutex once;
  clip_status status = AtEdge(error, capacity, [&] {
    if (abi != CLIP_RUNTIME_ABI) {
      Fail(CLIP_UNAVAILABLE, "this runtime was built for version ", CLIP_RUNTIME_ABI,
           " of the runtime ABI, the program that opens it speaks version ", abi,
           "; build both from the same source");
    }
    std::lock_guard<std::mutex> lock(once);
    UnboundCpus();  // of this thread, which nothing was bound on
    if (runtime == nullptr) runtime = make();
  });
  return status == CLIP_OK ? &kApi : nullptr;
}

}  // namespace clip
