// Lanes: what is put on the stream, in which order, and what comes back.
#include "lane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "stage.h"

namespace clip_test {
namespace {

class TensorRtLanes : public Stage {
 protected:
  void Start(clip_tower tower) {
    session_ = NewSession(Options(tower));
    lane_ = session_->NewLane();
    gpu_.log.clear();
    tensorrt_.enqueues = 0;
  }
  void TearDown() override {
    lane_.reset();
    session_.reset();
    Stage::TearDown();
  }

  static clip::Batch BatchOf(const clip_batch& batch, const clip::SessionInfo& info) {
    return clip::CheckBatch(batch, info);
  }

  // Runs texts [rows, length] of ids first, first + 1, ..., and checks the answer.
  void RunTexts(clip::Lane* lane, int32_t first, uint32_t rows, uint32_t length) {
    std::vector<int32_t> ids(rows * length);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = first + static_cast<int32_t>(i);
    std::vector<float> output(rows * kFakeDim, -1);
    clip_batch batch = {sizeof(batch), rows, length, ids.data(), output.data(), 0, nullptr, nullptr, nullptr};
    lane->Run(BatchOf(batch, session_->info()));
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t d = 0; d < kFakeDim; ++d) {
        ASSERT_EQ(output[static_cast<size_t>(r * kFakeDim + d)], FakeTensorRt::Text(ids.data(), length, r, d))
            << "row " << r << " of " << rows;
      }
    }
  }
  std::string Fault(clip_status status, uint32_t rows, uint32_t length) {
    char error[1024] = "";
    EXPECT_EQ(clip::AtEdge(error, sizeof(error), [&] { RunTexts(lane_.get(), 1, rows, length); }), status)
        << error;
    return error;
  }
  std::vector<std::string> TakeLog() { return std::exchange(gpu_.log, {}); }

  std::unique_ptr<clip::trt::TensorRtSession> session_;
  std::unique_ptr<clip::Lane> lane_;
};

TEST_F(TensorRtLanes, CopyComputeCopyWait) {
  Start(CLIP_TOWER_TEXT);
  RunTexts(lane_.get(), 5, 3, 10);
  EXPECT_EQ(TakeLog(), (std::vector<std::string>{"HtoD 120", "enqueue 3", "DtoH 48", "wait"}));
}

TEST_F(TensorRtLanes, WarmUpRunsEachProfileOnce) {
  session_ = NewSession(Options(CLIP_TOWER_TEXT));
  tensorrt_.enqueues = 0;
  auto first = session_->NewLane(), second = session_->NewLane();
  EXPECT_EQ(tensorrt_.enqueues, 2 * 9) << "3 buckets of rows, 3 of lengths, 2 lanes";
  EXPECT_EQ(tensorrt_.contexts, 2 * 9);
  EXPECT_EQ(gpu_.live["MemAlloc"], 2 * 3)
      << "scratch, ids and embeddings of each lane, whatever the contexts";
  EXPECT_EQ(gpu_.live["StreamCreate"], 2);
  EXPECT_EQ(gpu_.current, 0) << "no device is left current on the thread";
}

TEST_F(TensorRtLanes, EachBatchRunsInTheSmallestProfile) {
  Start(CLIP_TOWER_TEXT);
  auto profile = [&](uint32_t rows, uint32_t length) {
    RunTexts(lane_.get(), 1, rows, length);
    auto log = TakeLog();
    return log.size() < 2 ? "" : log[1];
  };
  EXPECT_EQ(profile(1, 16), "enqueue 0");
  EXPECT_EQ(profile(1, 17), "enqueue 1");
  EXPECT_EQ(profile(1, 77), "enqueue 2");
  EXPECT_EQ(profile(8, 12), "enqueue 3");
  EXPECT_EQ(profile(9, 12), "enqueue 6");
  EXPECT_EQ(profile(16, 77), "enqueue 8");
  EXPECT_EQ(profile(1, 5), "enqueue 0");
  EXPECT_EQ(tensorrt_.contexts, 9) << "changes of profile make no new contexts";
}

TEST_F(TensorRtLanes, Pictures) {
  tensorrt_.Pictures(16);
  Start(CLIP_TOWER_IMAGE);
  std::vector<uint8_t> pixels(5 * 16 * 16 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 7);
  std::vector<float> output(5 * kFakeDim);
  clip_batch batch = {sizeof(batch), 5, 16, pixels.data(), output.data(), 0, nullptr, nullptr, nullptr};
  lane_->Run(BatchOf(batch, session_->info()));
  for (int64_t r = 0; r < 5; ++r) {
    EXPECT_EQ(output[static_cast<size_t>(r * kFakeDim)],
              FakeTensorRt::Picture(pixels.data(), 16 * 16 * 3, r, 0));
  }
  EXPECT_EQ(TakeLog(), (std::vector<std::string>{"HtoD 3840", "enqueue 1", "DtoH 80", "wait"}));
}

TEST_F(TensorRtLanes, PackedTextsInTheOrderOfTheGraph) {
  tensorrt_.PackedTexts();
  Start(CLIP_TOWER_TEXT);
  ASSERT_TRUE(session_->info().packs);
  std::vector<int32_t> ids = {7, 8, 9, 4, 5, 0}, positions = {0, 1, 2, 0, 1, 0},
                       segments = {0, 0, 0, 1, 1, -1};
  std::vector<int32_t> ends = {2, 4, 4, 4};
  std::vector<float> output(4 * kFakeDim);
  clip_batch batch = {sizeof(batch),   4,          3, ids.data(), output.data(), 2, positions.data(),
                      segments.data(), ends.data()};
  lane_->Run(BatchOf(batch, session_->info()));
  for (size_t r = 0; r < ends.size(); ++r) {
    EXPECT_EQ(output[r * kFakeDim + 1],
              FakeTensorRt::Packed(ids.data(), positions.data(), segments.data(), ends[r], 1));
  }
  EXPECT_EQ(TakeLog(), (std::vector<std::string>{"HtoD 24", "HtoD 24", "HtoD 24", "HtoD 16", "enqueue 3",
                                                 "DtoH 64", "wait"}));
}

TEST_F(TensorRtLanes, AHotShapeBecomesAGraph) {
  Start(CLIP_TOWER_TEXT);
  std::vector<std::string> enqueued = {"HtoD 80", "enqueue 3", "DtoH 32", "wait"};
  for (int i = 0; i < 2; ++i) {
    RunTexts(lane_.get(), i, 2, 10);
    EXPECT_EQ(TakeLog(), enqueued);
  }
  RunTexts(lane_.get(), 2, 2, 10);
  auto log = TakeLog();
  EXPECT_EQ(log, (std::vector<std::string>{"HtoD 80", "enqueue 3", "DtoH 32", "wait",  // the batch
                                           "HtoD 80", "enqueue 3", "DtoH 32", "wait",  // the graph's context
                                           "begin", "HtoD 80", "enqueue 3", "DtoH 32", "end"}));  // the graph
  EXPECT_EQ(gpu_.live["GraphInstantiate"], 1);
  EXPECT_EQ(gpu_.live["Graph"], 0) << "only its executable form is kept";
  for (int i = 0; i < 5; ++i) {
    RunTexts(lane_.get(), 100 * i, 2, 10);  // other ids each time
    EXPECT_EQ(TakeLog(), (std::vector<std::string>{"graph", "wait"}));
    RunTexts(lane_.get(), i, 2, 11);  // another shape in between, in the same profile
    RunTexts(lane_.get(), i, 16, 77);
    TakeLog();
  }
}

TEST_F(TensorRtLanes, GraphsAreFewAndTheColdestGoes) {
  Start(CLIP_TOWER_TEXT);
  // 77 lengths, each three times: more than there is room for.
  for (uint32_t length = 1; length <= 77; ++length) {
    for (int i = 0; i < 3; ++i) RunTexts(lane_.get(), i, 1, length);
  }
  EXPECT_EQ(gpu_.live["GraphInstantiate"], 32);
  TakeLog();
  RunTexts(lane_.get(), 1, 1, 32);
  EXPECT_EQ(TakeLog()[0], "graph");
  RunTexts(lane_.get(), 1, 1, 33);
  EXPECT_EQ(TakeLog()[0], "HtoD 132");
  // One that comes much oftener takes the place of the one that was not used for longest.
  for (int i = 0; i < 64; ++i) RunTexts(lane_.get(), i, 1, 33);
  EXPECT_EQ(gpu_.live["GraphInstantiate"], 32);
  TakeLog();
  RunTexts(lane_.get(), 1, 1, 33);
  EXPECT_EQ(TakeLog()[0], "graph");
  RunTexts(lane_.get(), 1, 1, 1);
  EXPECT_EQ(TakeLog()[0], "HtoD 4");
}

TEST_F(TensorRtLanes, WhatCannotBeCapturedIsEnqueued) {
  Start(CLIP_TOWER_TEXT);
  tensorrt_.capturable = false;
  for (int i = 0; i < 10; ++i) RunTexts(lane_.get(), i, 2, 10);
  EXPECT_EQ(gpu_.calls["StreamBeginCapture"], 1) << "it is tried once";
  EXPECT_EQ(gpu_.calls["GraphLaunch"], 0);
  EXPECT_EQ(gpu_.live["Graph"], 0);
}

TEST_F(TensorRtLanes, EveryStepOfACaptureMayFail) {
  for (const char* call : {"StreamBeginCapture", "StreamEndCapture", "GraphInstantiate"}) {
    Start(CLIP_TOWER_TEXT);
    gpu_.FailCall(call, 1, 900);
    for (int i = 0; i < 6; ++i) RunTexts(lane_.get(), i, 2, 10);
    EXPECT_EQ(gpu_.live["GraphInstantiate"], 0) << call;
    EXPECT_EQ(gpu_.live["Graph"], 0) << call;
    lane_.reset();
    session_.reset();
  }
}

TEST_F(TensorRtLanes, BatchesThatNoProfileHoldsAreRefused) {
  Start(CLIP_TOWER_TEXT);
  std::string text = Fault(CLIP_INVALID_ARGUMENT, 17, 10);
  EXPECT_TRUE(Has(text, "17 rows of length 10")) << text;
  EXPECT_TRUE(Has(text, "at most 16x77")) << text;
  EXPECT_TRUE(Has(Fault(CLIP_INVALID_ARGUMENT, 1, 78), "length 78"));
  EXPECT_EQ(TakeLog().size(), 0u);
  RunTexts(lane_.get(), 1, 16, 77);
}

TEST_F(TensorRtLanes, FailuresAreNamedAndTheLaneGoesOn) {
  Start(CLIP_TOWER_TEXT);
  tensorrt_.enqueue_error = "Cask error";
  EXPECT_TRUE(Has(Fault(CLIP_INTERNAL, 2, 10), "Cask error"));
  tensorrt_.enqueue_error = "";
  RunTexts(lane_.get(), 1, 2, 10);
  for (const char* call : {"HtoD", "DtoH", "EventRecord", "EventSynchronize", "CtxPushCurrent"}) {
    gpu_.FailCall(call, 1, 700);
    EXPECT_TRUE(Has(Fault(CLIP_INTERNAL, 2, 12), "fake failure")) << call;
    RunTexts(lane_.get(), 3, 2, 12);
  }
  tensorrt_.extra_rows = 1;
  EXPECT_TRUE(Has(Fault(CLIP_INTERNAL, 2, 13), "makes 3x4"));
  tensorrt_.extra_rows = 0;
  RunTexts(lane_.get(), 1, 2, 13);
}

TEST_F(TensorRtLanes, AGraphThatCannotBeLaunchedIsAnError) {
  Start(CLIP_TOWER_TEXT);
  for (int i = 0; i < 3; ++i) RunTexts(lane_.get(), i, 2, 10);
  gpu_.FailCall("GraphLaunch", 1, 700);
  EXPECT_TRUE(Has(Fault(CLIP_INTERNAL, 2, 10), "CUDA graph"));
  RunTexts(lane_.get(), 4, 2, 10);
}

TEST_F(TensorRtLanes, ALaneThatCannotBeMadeLeavesNothing) {
  session_ = NewSession(Options(CLIP_TOWER_TEXT));
  for (const char* call : {"StreamCreate", "EventCreate", "MemAlloc", "MemHostAlloc", "HtoD"}) {
    for (int nth = 1; nth <= (std::string(call) == "MemAlloc" ? 3 : 1); ++nth) {
      gpu_.FailCall(call, nth, clip::cu::kOutOfMemory);
      EXPECT_EQ(clip::AtEdge(nullptr, 0, [&] { session_->NewLane(); }), CLIP_OUT_OF_MEMORY) << call;
      EXPECT_EQ(gpu_.live["MemAlloc"] + gpu_.live["MemHostAlloc"] + gpu_.live["StreamCreate"] +
                    gpu_.live["EventCreate"],
                0)
          << call;
    }
  }
}

TEST_F(TensorRtLanes, ALaneOutlivesItsSession) {
  Start(CLIP_TOWER_TEXT);
  auto info = session_->info();
  session_.reset();
  std::vector<int32_t> ids(10, 3);
  std::vector<float> output(kFakeDim);
  clip_batch batch = {sizeof(batch), 1, 10, ids.data(), output.data(), 0, nullptr, nullptr, nullptr};
  lane_->Run(BatchOf(batch, info));
  EXPECT_EQ(output[0], 30);
}

}  // namespace
}  // namespace clip_test
