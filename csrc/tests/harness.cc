#include "harness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include "loader.h"

namespace clip_test {

std::string GraphPath(const std::string& name) { return std::string(CLIP_GRAPHS) + "/" + name; }

template <typename T>
std::vector<T> Read(const std::string& name) {
  std::ifstream stream(GraphPath(name), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(bytes.empty()) << name;
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

template std::vector<float> Read<float>(const std::string&);
template std::vector<int32_t> Read<int32_t>(const std::string&);
template std::vector<uint8_t> Read<uint8_t>(const std::string&);

const clip_runtime_api* Open(const std::string& name) {
  char error[512] = "";
  std::string path = std::string(CLIP_LIBRARIES) + "/libclip_" + name + ".so";
  const clip_runtime_api* api = clip_loader_open(path.c_str(), error, sizeof(error));
  EXPECT_NE(api, nullptr) << error;
  return api;
}

clip_session_options Options(const std::string& graph, clip_tower tower, clip_precision precision) {
  // The text must outlive the call that uses it.
  static std::map<std::string, std::string> kept;
  clip_session_options options = {};
  options.size = sizeof(options);
  options.graph_path = kept.emplace(graph, graph).first->second.c_str();
  options.tower = tower;
  options.precision = precision;
  options.lanes = 1;
  options.threads = 1;
  return options;
}

Sessions::~Sessions() {
  for (clip_lane* lane : lanes_) api_->lane_destroy(lane);
  if (session_ != nullptr) api_->session_destroy(session_);
}

Outcome Sessions::Create(const clip_session_options& options) {
  char error[2048] = "";
  info_.size = sizeof(info_);
  Outcome outcome;
  outcome.status = api_->session_create(&options, &session_, &info_, error, sizeof(error));
  outcome.text = error;
  EXPECT_EQ(outcome.status == CLIP_OK, session_ != nullptr);
  return outcome;
}

clip_lane* Sessions::NewLane() {
  char error[512] = "";
  clip_lane* lane = nullptr;
  EXPECT_EQ(api_->lane_create(session_, &lane, error, sizeof(error)), CLIP_OK) << error;
  lanes_.push_back(lane);
  return lane;
}

Outcome Sessions::Run(clip_lane* lane, uint32_t rows, uint32_t length, const void* input, float* output) {
  char error[2048] = "";
  clip_batch batch = {sizeof(batch), rows, length, input, output, 0, nullptr, nullptr, nullptr};
  Outcome outcome;
  outcome.status = api_->lane_run(lane, &batch, error, sizeof(error));
  outcome.text = error;
  return outcome;
}

float Difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    // A NaN counts as infinitely far off.
    float off = std::fabs(a[i] - b[i]);
    largest = std::isnan(off) ? INFINITY : std::fmax(largest, off);
  }
  return largest;
}

}  // namespace clip_test
