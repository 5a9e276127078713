// Which processors the threads of a session run on.
#ifndef CLIP_PLUGIN_CPUS_H_
#define CLIP_PLUGIN_CPUS_H_

#include <string>
#include <vector>

namespace clip {

// Reads "0-3,8" as the kernel writes lists of processors; in ascending order, each once. "" gives none.
// Throws CLIP_INVALID_ARGUMENT.
std::vector<int> ParseCpus(const std::string& list);

// {0, 1, 2, 3, 8} as "0-3,8". Wants an ascending order.
std::string FormatCpus(const std::vector<int>& cpus);

// The processors that the calling thread may run on.
std::vector<int> ThreadCpus();

// The calling thread may run on these only. Returns false when the system refuses: none of them is online and
// allowed to this process.
bool SetThreadCpus(const std::vector<int>& cpus) noexcept;

// The processors of a thread that nothing was bound on yet: those of the thread that opened this runtime.
const std::vector<int>& UnboundCpus();

// While it lives, the calling thread runs on these processors only, and so do, as long as they live, the
// threads that it starts: on Linux a thread inherits them from the one that makes it. What they are the first
// to write lies on the NUMA node of these processors. Without processors it does nothing.
class Affinity {
 public:
  // Throws CLIP_INVALID_ARGUMENT when the thread may run on none of them.
  explicit Affinity(const std::vector<int>& cpus);
  ~Affinity();
  Affinity(const Affinity&) = delete;
  Affinity& operator=(const Affinity&) = delete;

 private:
  std::vector<int> before_;  // empty: nothing was changed
};

}  // namespace clip

#endif  // CLIP_PLUGIN_CPUS_H_
