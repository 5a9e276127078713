// Profiles, the LRU, engine files and the opening of libraries: what needs neither GPU nor TensorRT.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "api.h"
#include "build.h"
#include "engine_file.h"
#include "lru.h"
#include "profiles.h"
#include "test_folder.h"

namespace clip_test {
namespace {

using clip::trt::ChooseProfile;
using clip::trt::FitProfiles;
using clip::trt::Kind;
using clip::trt::Lru;
using clip::trt::Making;
using clip::trt::Profile;
using clip::trt::Shape;

// The most of the first input of each profile.
std::vector<Shape> Mosts(const std::vector<Profile>& profiles) {
  std::vector<Shape> largest;
  for (const Profile& profile : profiles) largest.push_back(profile.inputs[0].most);
  return largest;
}

TEST(FitProfiles, FollowsTheBucketsOfTheScheduler) {
  EXPECT_EQ(Mosts(FitProfiles({Kind::kPictures, 64, 0, 224})),
            (std::vector<Shape>{{1, 224, 224, 3}, {8, 224, 224, 3}, {32, 224, 224, 3}, {64, 224, 224, 3}}));
  EXPECT_EQ(Mosts(FitProfiles({Kind::kPictures, 8, 0, 72})),
            (std::vector<Shape>{{1, 72, 72, 3}, {8, 72, 72, 3}}));
  EXPECT_EQ(Mosts(FitProfiles({Kind::kPictures, 1, 0, 72})), (std::vector<Shape>{{1, 72, 72, 3}}));
  EXPECT_EQ(Mosts(FitProfiles({Kind::kTexts, 8, 77, 0})),
            (std::vector<Shape>{{1, 16}, {1, 32}, {1, 77}, {8, 16}, {8, 32}, {8, 77}}));
  EXPECT_EQ(Mosts(FitProfiles({Kind::kTexts, 1, 16, 0})), (std::vector<Shape>{{1, 16}}));
  EXPECT_EQ(Mosts(FitProfiles({Kind::kPackedTexts, 64, 77, 0})),
            (std::vector<Shape>{{1, 16}, {1, 32}, {1, 80}, {8, 80}, {32, 80}, {64, 80}}));
  EXPECT_EQ(Mosts(FitProfiles({Kind::kPackedTexts, 4, 248, 0})).back(), (Shape{4, 248}));
  // What is not known gets a usual value.
  EXPECT_EQ(Mosts(FitProfiles({Kind::kPackedTexts, 0, 0, 0})).back(), (Shape{32, 80}));
}

TEST(FitProfiles, IsWhatTensorRtAccepts) {
  for (Kind kind : {Kind::kPictures, Kind::kTexts, Kind::kPackedTexts}) {
    for (int64_t rows : {1, 3, 8, 50, 256}) {
      for (const Profile& profile : FitProfiles({kind, rows, 77, 224})) {
        ASSERT_EQ(profile.inputs.size(), kind == Kind::kPackedTexts ? 4u : 1u);
        for (const auto& range : profile.inputs) {
          for (size_t i = 0; i < range.most.size(); ++i) {
            EXPECT_LE(1, range.least[i]);
            EXPECT_LE(range.least[i], range.best[i]);
            EXPECT_LE(range.best[i], range.most[i]);
          }
        }
      }
    }
  }
}

TEST(ChooseProfile, TakesTheSmallestThatHolds) {
  auto packed = FitProfiles({Kind::kPackedTexts, 50, 77, 0});
  auto choose = [&](int64_t lines, int64_t width, int64_t rows) {
    Shape tokens = {lines, width};
    return ChooseProfile(packed, {tokens, tokens, tokens, {rows}});
  };
  EXPECT_EQ(choose(1, 7, 1), 0);
  EXPECT_EQ(choose(1, 16, 5), 0);
  EXPECT_EQ(choose(1, 17, 5), 1);
  EXPECT_EQ(choose(1, 80, 8), 2);
  EXPECT_EQ(choose(2, 16, 3), 3);
  EXPECT_EQ(choose(8, 80, 8), 3);
  EXPECT_EQ(choose(9, 24, 9), 4);
  EXPECT_EQ(choose(50, 80, 56), 5) << "rows are rounded up by the scheduler";
  EXPECT_EQ(choose(51, 80, 50), -1);
  EXPECT_EQ(choose(1, 81, 1), -1);
  EXPECT_EQ(choose(1, 16, 57), -1);
  EXPECT_EQ(ChooseProfile(packed, {{1, 16}}), -1) << "as many inputs as the graph has";
  // Profiles are not ordered by size where lengths and rows mix: [1, 77] is smaller than [8, 16].
  auto texts = FitProfiles({Kind::kTexts, 8, 77, 0});
  EXPECT_EQ(ChooseProfile(texts, {{1, 40}}), 2);
  EXPECT_EQ(ChooseProfile(texts, {{2, 16}}), 3);
  EXPECT_EQ(ChooseProfile(texts, {{8, 33}}), 5);
  EXPECT_EQ(clip::trt::Largest(texts), "8x77");
}

TEST(Lru, ForgetsWhatWasNotUsedForLongest) {
  Lru<int, std::string> lru(2);
  EXPECT_FALSE(lru.Put(1, "one").has_value());
  EXPECT_FALSE(lru.full());
  EXPECT_FALSE(lru.Put(2, "two").has_value());
  EXPECT_TRUE(lru.full());
  ASSERT_NE(lru.Find(1), nullptr);
  EXPECT_EQ(lru.Put(3, "three"), 2);
  EXPECT_EQ(lru.Find(2), nullptr);
  EXPECT_EQ(*lru.Find(1), "one");
  EXPECT_EQ(lru.size(), 2u);
}

class EngineFiles : public TestFolder {
 protected:
  Making making_ = {"11.4.0", "NVIDIA H200", "9.0", "0123", "bf16", "rows 64, length 77, profiles 1", "3"};

  std::string Fault() {
    char error[512] = "";
    clip::AtEdge(error, sizeof(error), [&] { clip::trt::ReadEngine(path("x.engine")); });
    return error;
  }
};

TEST_F(EngineFiles, ComeBackAsTheyWere) {
  EXPECT_FALSE(clip::trt::ReadEngine(path("x.engine")).has_value());
  std::string plan(100000, '\0');
  plan[7] = '\n';
  WriteEngine(path("x.engine"), making_, plan);
  auto read = clip::trt::ReadEngine(path("x.engine"));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->plan, plan);
  EXPECT_EQ(read->making.Key(), making_.Key());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("")), {}), 1)
      << "nothing is left beside it";
}

TEST_F(EngineFiles, DamageIsNoticed) {
  WriteEngine(path("x.engine"), making_, "a plan of some length");
  std::string good = Read("x.engine");
  for (size_t cut = 1; cut < good.size(); ++cut) {
    Write("x.engine", good.substr(0, cut));
    EXPECT_NE(Fault(), "") << cut;
  }
  for (size_t at = good.size() - 21; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    Write("x.engine", bad);
    EXPECT_NE(Fault().find("content has changed"), std::string::npos) << Fault();
  }
  Write("x.engine", good + "x");
  EXPECT_NE(Fault().find("another length"), std::string::npos) << Fault();
  Write("x.engine", "ONNX");
  EXPECT_NE(Fault().find("no engine of clipd's"), std::string::npos) << Fault();
  Write("x.engine", good);
  EXPECT_EQ(Fault(), "");
}

TEST_F(EngineFiles, EveryPartOfTheMakingIsInTheKey) {
  std::vector<std::string> keys = {making_.Key()};
  for (auto member : {&Making::tensorrt, &Making::gpu, &Making::capability, &Making::graph,
                      &Making::precision, &Making::batches, &Making::level}) {
    Making other = making_;
    other.*member += "x";
    for (const std::string& key : keys) EXPECT_NE(other.Key(), key);
    keys.push_back(other.Key());
  }
  EXPECT_EQ(making_.Key(), keys[0]);
  // Timings are shared by graphs, not by GPUs or versions.
  Making other = making_;
  other.graph = "x";
  EXPECT_EQ(clip::trt::TimingCache("/c", other), clip::trt::TimingCache("/c", making_));
  other.gpu = "NVIDIA L4";
  EXPECT_NE(clip::trt::TimingCache("/c", other), clip::trt::TimingCache("/c", making_));
}

TEST_F(EngineFiles, MisfitsAreNamed) {
  Making here = making_;
  EXPECT_EQ(Misfit(making_, here), "");
  here.batches = "others";
  here.level = "5";
  EXPECT_EQ(Misfit(making_, here), "");
  here.gpu = "NVIDIA L4";
  here.capability = "8.9";
  EXPECT_EQ(Misfit(making_, here),
            "it was made for NVIDIA H200 (compute capability 9.0), and this is NVIDIA L4 (8.9)");
  here = making_;
  here.tensorrt = "11.5.0";
  EXPECT_EQ(Misfit(making_, here), "it was made with TensorRT 11.4.0, and this is 11.5.0");
  here = making_;
  here.graph = "4567";
  EXPECT_NE(Misfit(making_, here).find("another graph"), std::string::npos);
}

TEST_F(EngineFiles, AFolderThatCannotBeWrittenIsNamed) {
  char error[512] = "";
  EXPECT_EQ(clip::AtEdge(error, sizeof(error), [&] { WriteEngine(path("none/x.engine"), making_, "plan"); }),
            CLIP_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error).find("none/x.engine"), std::string::npos) << error;
}

std::string OpenFault(const std::string& infer, const std::string& parser = "libnone.so") {
  char error[1024] = "";
  clip_status status = clip::AtEdge(error, sizeof(error), [&] { clip::trt::OpenLibrary(infer, parser); });
  EXPECT_EQ(status, error[0] == '\0' ? CLIP_OK : CLIP_UNAVAILABLE);
  return error;
}

TEST(OpenLibrary, SaysWhatIsMissing) {
  std::string fakes = CLIP_TENSORRT_FAKES;
  auto expect = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  std::string major = std::to_string(NV_TENSORRT_MAJOR);
  EXPECT_EQ(clip::trt::InferLibrary(), "libnvinfer.so." + major);
  EXPECT_EQ(clip::trt::ParserLibrary(), "libnvonnxparser.so." + major);
  expect(OpenFault("libnvinfer_of_nobody.so.11"), "cannot open libnvinfer_of_nobody.so.11");
  expect(OpenFault("libnvinfer_of_nobody.so.11"), "install TensorRT " + major);
  expect(OpenFault("libm.so.6"), "exports no createInferBuilder_INTERNAL");
  expect(OpenFault(fakes + "/libclip_fake_nvinfer_unversioned.so"), "exports no getInferLibVersion");
  expect(OpenFault(fakes + "/libclip_fake_nvinfer_old.so"), "8601");
  expect(OpenFault(fakes + "/libclip_fake_nvinfer_old.so"), "needs TensorRT " + major);
  EXPECT_EQ(OpenFault(fakes + "/libclip_fake_nvinfer.so"), "");
  expect(OpenFault(fakes + "/libclip_fake_nvinfer.so", "libm.so.6"),
         "exports no createNvOnnxParser_INTERNAL");
  // Without a parser there is no building, and the reason is kept for then.
  clip::trt::Library library = clip::trt::OpenLibrary(fakes + "/libclip_fake_nvinfer.so", "libnone.so");
  EXPECT_EQ(library.create_parser, nullptr);
  EXPECT_EQ(library.version(), major + ".4.0");
  expect(library.parser_missing, "libnone.so");
  char error[512] = "";
  EXPECT_EQ(clip::AtEdge(error, sizeof(error), [&] { clip::trt::NewBuilder(library); }), CLIP_UNAVAILABLE);
  expect(error, "TensorRT gives no reason");
}

TEST(Log, KeepsTheErrorsOfTheCallingThread) {
  using Severity = nvinfer1::ILogger::Severity;
  clip::trt::Log log;
  EXPECT_EQ(log.Take(), "TensorRT gives no reason");
  log.log(Severity::kWARNING, "never mind");
  log.log(Severity::kERROR, "mine");
  std::thread([&] { log.log(Severity::kINTERNAL_ERROR, "another's"); }).join();
  log.log(Severity::kERROR, "mine too");
  EXPECT_EQ(log.Take(), "mine; mine too");
  EXPECT_EQ(log.Take(), "another's");
  for (int i = 0; i < 100; ++i) log.log(Severity::kERROR, "e");
  EXPECT_LT(log.Take().size(), 50u);
  log.log(Severity::kERROR, "old");
  log.Clear();
  EXPECT_EQ(log.Take(), "TensorRT gives no reason");
}

TEST(BuilderLevel, IsANumberFrom0To5) {
  unsetenv("CLIPD_TENSORRT_LEVEL");
  EXPECT_EQ(clip::trt::BuilderLevel(), 3);
  setenv("CLIPD_TENSORRT_LEVEL", "5", 1);
  EXPECT_EQ(clip::trt::BuilderLevel(), 5);
  for (const char* wrong : {"6", "-1", "fast", "3x"}) {
    setenv("CLIPD_TENSORRT_LEVEL", wrong, 1);
    EXPECT_THROW(clip::trt::BuilderLevel(), clip::Error) << wrong;
  }
  unsetenv("CLIPD_TENSORRT_LEVEL");
}

}  // namespace
}  // namespace clip_test
