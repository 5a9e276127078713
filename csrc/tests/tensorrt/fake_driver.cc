#include "fake_driver.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace clip_test {
namespace {

using clip::cu::DeviceId;
using clip::cu::DevicePtr;
using clip::cu::Result;

FakeDriver* now = nullptr;

// Runs body unless the call is to fail.
template <typename Body>
Result Made(const char* name, Body&& body, bool needs_context = true) {
  Result result = now->Call(name, needs_context);
  if (result == clip::cu::kSuccess) body();
  return result;
}

template <typename T>
Result New(const char* name, T** made) {
  return Made(name, [&] {
    *made = new T;
    ++now->live[name];
  });
}

template <typename T>
Result Delete(const char* name, const char* maker, T* object) {
  return Made(name, [&] {
    delete object;
    --now->live[maker];
  });
}

void Drain(CUstream_st* stream) {
  auto work = std::move(stream->work);
  stream->work.clear();
  for (auto& one : work) one();
}

Result Copy(const char* name, void* to, const void* from, size_t bytes, CUstream_st* stream) {
  now->log.push_back(std::string(name) + " " + std::to_string(bytes));
  Result result = now->Call(name);
  if (result != clip::cu::kSuccess) return result;
  return now->Launch(stream, [=] { std::memcpy(to, from, bytes); }) ? clip::cu::kSuccess
                                                                    : clip::cu::kCaptureInvalidated;
}

template <typename T>
T* Address(DevicePtr address) {
  return reinterpret_cast<T*>(address);
}

void FillDevices(clip::cu::Driver* t) {
  t->Init = [](unsigned) { return now->Call("Init", false); };
  t->DriverGetVersion = [](int* version) {
    return Made("DriverGetVersion", [&] { *version = 13000; }, false);
  };
  t->GetErrorName = [](Result error, const char** text) {
    *text = error == clip::cu::kOutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_FAKE";
    return 0;
  };
  t->GetErrorString = [](Result error, const char** text) {
    *text = error == clip::cu::kOutOfMemory ? "out of memory" : "fake failure";
    return 0;
  };
  t->DeviceGetCount = [](int* count) {
    return Made("DeviceGetCount", [&] { *count = static_cast<int>(now->gpus.size()); }, false);
  };
  t->DeviceGet = [](DeviceId* device, int i) { return Made("DeviceGet", [&] { *device = 100 + i; }, false); };
  t->DeviceGetName = [](char* name, int capacity, DeviceId id) {
    snprintf(name, static_cast<size_t>(capacity), "%s",
             now->gpus.at(static_cast<size_t>(id - 100)).name.c_str());
    return now->Call("DeviceGetName", false);
  };
  t->DeviceGetAttribute = [](int* value, int attribute, DeviceId id) {
    const FakeGpu& gpu = now->gpus.at(static_cast<size_t>(id - 100));
    *value = attribute == clip::cu::kAttributeMajor   ? gpu.major
             : attribute == clip::cu::kAttributeMinor ? gpu.minor
                                                      : 132;
    return now->Call("DeviceGetAttribute", false);
  };
  t->DeviceTotalMem = [](size_t* bytes, DeviceId id) {
    *bytes = now->gpus.at(static_cast<size_t>(id - 100)).memory;
    return now->Call("DeviceTotalMem", false);
  };
  t->DeviceGetPCIBusId = [](char* text, int capacity, DeviceId id) {
    snprintf(text, static_cast<size_t>(capacity), "%s",
             now->gpus.at(static_cast<size_t>(id - 100)).pci.c_str());
    return now->Call("DeviceGetPCIBusId", false);
  };
  t->DeviceGetByPCIBusId = [](DeviceId* device, const char* pci) {
    for (size_t i = 0; i < now->gpus.size(); ++i) {
      if (now->gpus[i].pci != pci) continue;
      *device = 100 + static_cast<int>(i);
      return clip::cu::kSuccess;
    }
    return clip::cu::kInvalidDevice;
  };
  t->PrimaryCtxRetain = [](CUctx_st** context, DeviceId) {
    return Made(
        "PrimaryCtxRetain", [&] { *context = &now->context, ++now->live["PrimaryCtxRetain"]; }, false);
  };
  t->PrimaryCtxRelease = [](DeviceId) {
    return Made("PrimaryCtxRelease", [&] { --now->live["PrimaryCtxRetain"]; }, false);
  };
  t->CtxPushCurrent = [](CUctx_st*) { return Made("CtxPushCurrent", [&] { ++now->current; }, false); };
  t->CtxPopCurrent = [](CUctx_st**) { return Made("CtxPopCurrent", [&] { --now->current; }); };
}

void FillMemory(clip::cu::Driver* t) {
  t->MemAlloc = [](DevicePtr* address, size_t bytes) {
    return Made("MemAlloc",
                [&] { *address = reinterpret_cast<DevicePtr>(malloc(bytes)), ++now->live["MemAlloc"]; });
  };
  t->MemFree = [](DevicePtr address) {
    return Made("MemFree", [&] { free(Address<void>(address)), --now->live["MemAlloc"]; });
  };
  t->MemHostAlloc = [](void** address, size_t bytes, unsigned) {
    return Made("MemHostAlloc", [&] { *address = malloc(bytes), ++now->live["MemHostAlloc"]; });
  };
  t->MemFreeHost = [](void* address) {
    return Made("MemFreeHost", [&] { free(address), --now->live["MemHostAlloc"]; });
  };
  t->MemGetInfo = [](size_t* free, size_t* total) {
    return Made("MemGetInfo", [&] { *free = *total = now->gpus[0].memory; });
  };
  t->MemcpyHtoDAsync = [](DevicePtr to, const void* from, size_t bytes, CUstream_st* stream) {
    return Copy("HtoD", Address<void>(to), from, bytes, stream);
  };
  t->MemcpyDtoHAsync = [](void* to, DevicePtr from, size_t bytes, CUstream_st* stream) {
    return Copy("DtoH", to, Address<void>(from), bytes, stream);
  };
  t->MemcpyDtoDAsync = [](DevicePtr to, DevicePtr from, size_t bytes, CUstream_st* stream) {
    return Copy("DtoD", Address<void>(to), Address<void>(from), bytes, stream);
  };
}

void FillStreams(clip::cu::Driver* t) {
  t->StreamCreate = [](CUstream_st** stream, unsigned) { return New("StreamCreate", stream); };
  t->StreamDestroy = [](CUstream_st* stream) { return Delete("StreamDestroy", "StreamCreate", stream); };
  t->StreamSynchronize = [](CUstream_st* stream) {
    return Made("StreamSynchronize", [&] { Drain(stream); });
  };
  t->EventCreate = [](CUevent_st** event, unsigned) { return New("EventCreate", event); };
  t->EventDestroy = [](CUevent_st* event) { return Delete("EventDestroy", "EventCreate", event); };
  t->EventRecord = [](CUevent_st* event, CUstream_st* stream) {
    return Made("EventRecord", [&] { event->stream = stream; });
  };
  t->EventSynchronize = [](CUevent_st* event) {
    return Made("EventSynchronize", [&] {
      now->log.push_back("wait");
      if (event->stream != nullptr) Drain(event->stream);
    });
  };
  t->StreamBeginCapture = [](CUstream_st* stream, int) {
    return Made("StreamBeginCapture", [&] {
      now->log.push_back("begin");
      stream->capture = new CUgraph_st, ++now->live["Graph"];
      stream->broken = false;
    });
  };
  t->StreamEndCapture = [](CUstream_st* stream, CUgraph_st** graph) {
    now->log.push_back("end");
    *graph = std::exchange(stream->capture, nullptr);
    Result result = now->Call("StreamEndCapture");
    if (result == clip::cu::kSuccess && !stream->broken) return clip::cu::kSuccess;
    delete *graph, --now->live["Graph"];
    *graph = nullptr;
    return result != clip::cu::kSuccess ? result : clip::cu::kCaptureInvalidated;
  };
  t->GraphInstantiate = [](CUgraphExec_st** exec, CUgraph_st* graph, unsigned long long) {
    return Made("GraphInstantiate", [&] {
      *exec = new CUgraphExec_st{graph->work};
      ++now->live["GraphInstantiate"];
    });
  };
  t->GraphLaunch = [](CUgraphExec_st* exec, CUstream_st* stream) {
    now->log.push_back("graph");
    return Made("GraphLaunch", [&] {
      for (auto& one : exec->work) now->Launch(stream, one);
    });
  };
  t->GraphExecDestroy = [](CUgraphExec_st* exec) {
    return Delete("GraphExecDestroy", "GraphInstantiate", exec);
  };
  t->GraphDestroy = [](CUgraph_st* graph) { return Delete("GraphDestroy", "Graph", graph); };
}

}  // namespace

FakeDriver::FakeDriver() {
  now = this;
  FillDevices(&table_);
  FillMemory(&table_);
  FillStreams(&table_);
  table_.version = 13000;
}

FakeDriver::~FakeDriver() { now = nullptr; }

FakeDriver& FakeDriver::Now() { return *now; }

void FakeDriver::FailCall(const std::string& name, int nth, Result result) {
  failures_[name] = {calls[name] + nth, result};
}

Result FakeDriver::Call(const std::string& name, bool needs_context) {
  int count = ++calls[name];
  if (needs_context && current == 0) return 201;  // CUDA_ERROR_INVALID_CONTEXT
  auto failure = failures_.find(name);
  return failure != failures_.end() && failure->second.first == count ? failure->second.second
                                                                      : clip::cu::kSuccess;
}

bool FakeDriver::Launch(CUstream_st* stream, std::function<void()> work) {
  if (stream->capture == nullptr) {
    stream->work.push_back(std::move(work));
    return true;
  }
  if (!stream->broken) stream->capture->work.push_back(std::move(work));
  return !stream->broken;
}

std::string FakeDriver::Leaks() const {
  std::string text;
  for (const auto& [name, count] : live) {
    if (count != 0) text += name + " " + std::to_string(count) + "; ";
  }
  return text + (current != 0 ? "contexts " + std::to_string(current) : "");
}

}  // namespace clip_test
