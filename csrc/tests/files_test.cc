#include "files.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace clip {
namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/clip_files_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Write("graph.onnx", "... location weights.bin ...");
    Write("weights.bin", std::string(1 << 20, 'w'));
    Write("other.bin", "o");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  std::string Folder(const std::vector<std::string>& parts = {"one"}) {
    return CacheFolder(folder_ + "/cache", graph(), parts);
  }
  std::string graph() const { return folder_ + "/graph.onnx"; }

  std::string folder_;
};

TEST_F(Files, CacheFolderFollowsWhatTheModelIsMadeFrom) {
  std::string first = Folder();
  EXPECT_TRUE(std::filesystem::is_directory(first));
  EXPECT_EQ(Folder(), first);
  EXPECT_NE(Folder({"two"}), first);
  EXPECT_NE(Folder({"on", "e"}), first);
  Write("other.bin", "changed, but not part of the graph");
  EXPECT_EQ(Folder(), first);
  Write("weights.bin", "changed");
  std::string second = Folder();
  EXPECT_NE(second, first);
  Write("graph.onnx", "weights.bin, and another graph");
  EXPECT_NE(Folder(), second);
  EXPECT_EQ(CacheFolder("", graph(), {"one"}), "");
}

TEST_F(Files, KnowsExternalWeights) {
  EXPECT_TRUE(HasExternalWeights(graph()));
  Write("graph.onnx", "all weights are in here");
  EXPECT_FALSE(HasExternalWeights(graph()));
}

// Bytes of this mapping that are in memory, from /proc/self/smaps.
size_t Resident(const void* address) {
  char start[32];
  snprintf(start, sizeof(start), "%lx-", reinterpret_cast<unsigned long>(address));
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.rfind(start, 0) == 0) inside = true;
    size_t kilobytes;
    if (inside && sscanf(line.c_str(), "Rss: %zu kB", &kilobytes) == 1) return kilobytes << 10;
  }
  ADD_FAILURE() << "no mapping at " << address;
  return 0;
}

TEST_F(Files, ReleasesReadOnlyMappingsAndNoOthers) {
  FILE* file = fopen((folder_ + "/weights.bin").c_str(), "rb");
  ASSERT_NE(file, nullptr);
  size_t size = 1 << 20;
  auto map = [&](int rights) {
    return static_cast<char*>(mmap(nullptr, size, rights, MAP_PRIVATE | MAP_POPULATE, fileno(file), 0));
  };
  char* read_only = map(PROT_READ);
  char* writable = map(PROT_READ | PROT_WRITE);
  ASSERT_NE(read_only, MAP_FAILED);
  ASSERT_NE(writable, MAP_FAILED);
  writable[5] = 'x';
  EXPECT_EQ(Resident(read_only), size);
  ReleaseMappedWeights(graph());
  EXPECT_EQ(Resident(read_only), 0u);
  EXPECT_EQ(read_only[size - 1], 'w') << "what is needed again comes back";
  EXPECT_EQ(writable[5], 'x');
  munmap(read_only, size);
  munmap(writable, size);
  fclose(file);
}

}  // namespace
}  // namespace clip
