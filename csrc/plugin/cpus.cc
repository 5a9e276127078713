#include "cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "error.h"

namespace clip {
namespace {

// Linux can be built for at most 8192 processors; a higher number is a mistake.
constexpr int kMostCpus = 8192;

// cpu_set_t has room for 1024 processors only.
struct FreeMask {
  void operator()(cpu_set_t* mask) const { CPU_FREE(mask); }
};
using Mask = std::unique_ptr<cpu_set_t, FreeMask>;
const size_t kMaskBytes = CPU_ALLOC_SIZE(kMostCpus);

Mask NewMask() {
  Mask mask(CPU_ALLOC(kMostCpus));
  if (mask == nullptr) throw std::bad_alloc();
  CPU_ZERO_S(kMaskBytes, mask.get());
  return mask;
}

[[noreturn]] void Refuse(const std::string& list) {
  Fail(CLIP_INVALID_ARGUMENT, "cpus is \"", list, "\"; it must be a list of processors below ", kMostCpus,
       " such as \"0-3,8\"");
}

}  // namespace

std::vector<int> ParseCpus(const std::string& list) {
  std::vector<int> cpus;
  const char *at = list.data(), *end = at + list.size();
  auto number = [&] {
    int value = 0;
    auto [rest, failure] = std::from_chars(at, end, value);
    if (failure != std::errc() || value < 0 || value >= kMostCpus) Refuse(list);
    at = rest;
    return value;
  };
  while (at != end) {
    int first = number(), last = first;
    if (at != end && *at == '-') {
      ++at;
      last = number();
    }
    if (last < first) Refuse(list);
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (at == end) break;
    if (*at++ != ',' || at == end) Refuse(list);
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string FormatCpus(const std::vector<int>& cpus) {
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t next = i + 1;
    while (next < cpus.size() && cpus[next] == cpus[next - 1] + 1) ++next;
    text += (text.empty() ? "" : ",") + std::to_string(cpus[i]);
    if (next > i + 1) text += "-" + std::to_string(cpus[next - 1]);
    i = next;
  }
  return text;
}

std::vector<int> ThreadCpus() {
  Mask mask = NewMask();
  std::vector<int> cpus;
  if (sched_getaffinity(0, kMaskBytes, mask.get()) != 0) return cpus;
  for (int cpu = 0; cpu < kMostCpus; ++cpu) {
    if (CPU_ISSET_S(cpu, kMaskBytes, mask.get())) cpus.push_back(cpu);
  }
  return cpus;
}

bool SetThreadCpus(const std::vector<int>& cpus) noexcept {
  try {
    Mask mask = NewMask();
    for (int cpu : cpus) CPU_SET_S(cpu, kMaskBytes, mask.get());
    return sched_setaffinity(0, kMaskBytes, mask.get()) == 0;
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return false;
  }
}

const std::vector<int>& UnboundCpus() {
  static const std::vector<int> cpus = ThreadCpus();
  return cpus;
}

Affinity::Affinity(const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  std::vector<int> before = ThreadCpus();
  if (!SetThreadCpus(cpus)) {
    Fail(CLIP_INVALID_ARGUMENT, "cannot run on cpus ", FormatCpus(cpus), ": ", std::strerror(errno),
         "; this process may run on ", FormatCpus(UnboundCpus()));
  }
  before_ = std::move(before);
}

Affinity::~Affinity() {
  if (!before_.empty()) SetThreadCpus(before_);
}

}  // namespace clip
