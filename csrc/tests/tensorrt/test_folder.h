// A test with a folder of its own, removed at its end.
#ifndef CLIP_TESTS_TENSORRT_TEST_FOLDER_H_
#define CLIP_TESTS_TENSORRT_TEST_FOLDER_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace clip_test {

class TestFolder : public testing::Test {
 protected:
  TestFolder() {
    std::string pattern = testing::TempDir() + "/clip_tensorrt_XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) abort();
    folder_ = pattern;
  }
  ~TestFolder() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  std::string Read(const std::string& name) const {
    std::ifstream stream(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  // A copy of a file in the folder of graphs.
  std::string Copy(const std::string& name) const {
    std::filesystem::copy_file(std::string(CLIP_GRAPHS) + "/" + name, path(name),
                               std::filesystem::copy_options::overwrite_existing);
    return path(name);
  }

 private:
  std::string folder_;
};

}  // namespace clip_test

#endif  // CLIP_TESTS_TENSORRT_TEST_FOLDER_H_
