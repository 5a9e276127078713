#include "cpus.h"

#include <gtest/gtest.h>

#include <thread>

#include "error.h"

namespace clip {
namespace {

TEST(ParseCpus, ReadsListsAsTheKernelWritesThem) {
  using Cpus = std::vector<int>;
  EXPECT_EQ(ParseCpus(""), Cpus());
  EXPECT_EQ(ParseCpus("0"), Cpus({0}));
  EXPECT_EQ(ParseCpus("0-3,8"), Cpus({0, 1, 2, 3, 8}));
  EXPECT_EQ(ParseCpus("8,2-3,3,0-2"), Cpus({0, 1, 2, 3, 8}));
  EXPECT_EQ(ParseCpus("8191"), Cpus({8191}));
  for (const char* wrong :
       {"x", "1x", "-1", "3-1", "0-", "0,,1", ",", "0,", " 0", "0-1-2", "8192", "99999999999"}) {
    try {
      ParseCpus(wrong);
      ADD_FAILURE() << wrong << " was read";
    } catch (const Error& failure) {
      EXPECT_EQ(failure.status(), CLIP_INVALID_ARGUMENT);
      EXPECT_NE(std::string(failure.what()).find(wrong), std::string::npos) << failure.what();
    }
  }
}

TEST(FormatCpus, IsTheInverse) {
  for (const char* list : {"", "0", "0-3,8", "1,3,5-6", "0-8191"}) {
    EXPECT_EQ(FormatCpus(ParseCpus(list)), list);
  }
}

TEST(Affinity, HoldsForTheThreadAndThoseThatItMakesUntilItEnds) {
  const std::vector<int> before = ThreadCpus();
  ASSERT_FALSE(before.empty());
  const std::vector<int> last = {before.back()};
  {
    Affinity here(last);
    EXPECT_EQ(ThreadCpus(), last);
    std::thread([&] { EXPECT_EQ(ThreadCpus(), last); }).join();
    Affinity nothing({});
    EXPECT_EQ(ThreadCpus(), last);
  }
  EXPECT_EQ(ThreadCpus(), before);
}

TEST(Affinity, RefusesProcessorsThatAreNotThere) {
  const std::vector<int> before = ThreadCpus();
  try {
    Affinity here({8190, 8191});
    ADD_FAILURE() << "no error";
  } catch (const Error& failure) {
    EXPECT_EQ(failure.status(), CLIP_INVALID_ARGUMENT);
    EXPECT_NE(std::string(failure.what()).find("cannot run on cpus 8190-8191"), std::string::npos)
        << failure.what();
  }
  EXPECT_EQ(ThreadCpus(), before);
}

}  // namespace
}  // namespace clip
