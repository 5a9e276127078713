#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "preprocess_pool.h"

namespace clip::pictures {
namespace {

TEST(Pool, DoesEachPieceOnce) {
  std::atomic<int> begun = 0;
  WorkerPool pool(3, [&](int) { ++begun; });
  for (const size_t count : {0, 1, 2, 3, 100}) {
    std::vector<std::atomic<int>> done(count);
    pool.ForEach(count, [&](int worker, size_t i) {
      ASSERT_GE(worker, 0);
      ASSERT_LT(worker, 3);
      ++done[i];
    });
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
  EXPECT_LE(begun, 3);
  EXPECT_GE(begun, 1);
}

TEST(Pool, ThrowsWhatAPieceThrewAndGoesOn) {
  WorkerPool pool(1, [](int) {});
  std::atomic<int> calls = 0;
  EXPECT_THROW(pool.ForEach(1000,
                            [&](int, size_t i) {
                              ++calls;
                              if (i == 3) throw std::runtime_error("three");
                            }),
               std::runtime_error);
  EXPECT_EQ(calls, 4);  // the rest is left out
  calls = 0;
  pool.ForEach(5, [&](int, size_t) { ++calls; });
  EXPECT_EQ(calls, 5);
}

TEST(Pool, ThrowsWhenAThreadCannotBegin) {
  WorkerPool pool(1, [](int) { throw std::runtime_error("no device"); });
  EXPECT_THROW(pool.ForEach(1, [](int, size_t) {}), std::runtime_error);
}

}  // namespace
}  // namespace clip::pictures
