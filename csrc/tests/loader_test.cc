#include "loader.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "harness.h"

namespace {

// What the loader says of a library that it must refuse.
std::string Refused(const std::string& path) {
  char error[1024] = "untouched";
  EXPECT_EQ(clip_loader_open(path.c_str(), error, sizeof(error)), nullptr) << path;
  return error;
}

std::string Fake(const std::string& name) {
  return std::string(CLIP_FAKES) + "/libclip_fake_" + name + ".so";
}

void ExpectHas(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" does not name \"" << part << "\"";
}

TEST(Loader, NamesAMissingFile) {
  ExpectHas(Refused("/nowhere/libclip_x.so"), "/nowhere/libclip_x.so: no such file");
  ExpectHas(Refused(""), "empty");
  char error[64] = "";
  EXPECT_EQ(clip_loader_open(nullptr, error, sizeof(error)), nullptr);
  ExpectHas(error, "empty");
}

TEST(Loader, RefusesWhatIsNoLibrary) {
  std::string path = testing::TempDir() + "/libclip_text.so";
  std::ofstream(path) << "not a library";
  ExpectHas(Refused(path), path);
}

TEST(Loader, NamesALibraryThatTheRuntimeNeeds) {
  ExpectHas(Refused(Fake("needs_gone")), "libclip_fake_gone.so: cannot open shared object file");
}

TEST(Loader, RefusesALibraryThatIsNoRuntime) {
  ExpectHas(Refused(Fake("no_symbol")), "exports no clip_runtime_get");
}

TEST(Loader, PassesOnWhyARuntimeRefuses) {
  ExpectHas(Refused(Fake("wrong_abi")), "made for version 99 of the ABI, not 2");
  ExpectHas(Refused(Fake("silent")), "gives no reason");
}

TEST(Loader, RefusesATableOfAnotherVersion) { ExpectHas(Refused(Fake("other_table")), "speaks version 9"); }

TEST(Loader, RefusesAnIncompleteTable) { ExpectHas(Refused(Fake("incomplete")), "incomplete table"); }

TEST(Loader, CutsTheTextToFit) {
  char error[8] = "1234567";
  EXPECT_EQ(clip_loader_open("/nowhere/at/all.so", error, sizeof(error)), nullptr);
  EXPECT_STREQ(error, "/nowher");
  EXPECT_EQ(clip_loader_open("/nowhere/at/all.so", nullptr, 0), nullptr);
}

TEST(Loader, OpensARuntimeOnce) {
  for (const char* name : clip_test::Runtimes()) {
    const clip_runtime_api* api = clip_test::Open(name);
    ASSERT_NE(api, nullptr);
    EXPECT_EQ(api->abi, CLIP_RUNTIME_ABI);
    EXPECT_EQ(api, clip_test::Open(name));
  }
}

}  // namespace
