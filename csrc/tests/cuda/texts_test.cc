// Texts out of lines, and the shapes of passes.
#include "texts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace clip_test {
namespace {

using namespace clip::cuda;

// Lines of tokens; 0 to 9 name the text of a token, '.' is padding.
struct Lines {
  std::vector<int32_t> ids, positions, segments, ends;
  float output[8] = {};
  clip::Batch batch;

  explicit Lines(const std::vector<std::string>& lines, size_t texts) : ends(texts) {
    for (const std::string& line : lines) {
      for (size_t i = 0; i < line.size(); ++i) {
        bool padding = line[i] == '.';
        int32_t text = padding ? -1 : line[i] - '0';
        bool goes_on = !padding && i > 0 && line[i - 1] == line[i];
        positions.push_back(goes_on ? positions.back() + 1 : 0);
        ids.push_back(static_cast<int32_t>(ids.size()) + 1);
        segments.push_back(text);
        if (!padding) ends[static_cast<size_t>(text)] = static_cast<int32_t>(ids.size()) - 1;
      }
    }
    int64_t rows = static_cast<int64_t>(lines.size()), width = static_cast<int64_t>(lines[0].size());
    for (std::vector<int32_t>* part : {&ids, &positions, &segments})
      batch.inputs.push_back({part->data(), part->size() * 4, {rows, width}});
    batch.inputs.push_back({ends.data(), ends.size() * 4, {static_cast<int64_t>(texts)}});
    batch.rows = static_cast<uint32_t>(texts);
    batch.length = static_cast<uint32_t>(width);
    batch.output = output;
    batch.output_count = 0;
  }
};

TowerShape Shape() {
  TowerShape shape;
  shape.vocabulary = 100;
  shape.context = 8;
  return shape;
}

std::vector<std::string> Texts(const Lines& lines) {
  std::vector<std::string> all;
  for (const TextSpan& text : FindTexts(lines.batch, Shape()))
    all.push_back(std::to_string(text.first) + "+" + std::to_string(text.length));
  return all;
}

TEST(FindTexts, InAnyLayout) {
  EXPECT_EQ(Texts(Lines({"000112222"}, 3)), (std::vector<std::string>{"0+3", "3+2", "5+4"}));  // ragged
  EXPECT_EQ(Texts(Lines({"22.00", "111.."}, 3)),
            (std::vector<std::string>{"3+2", "5+3", "0+2"}));  // mixed, padded
  EXPECT_EQ(Texts(Lines({"0"}, 1)), (std::vector<std::string>{"0+1"}));
  Lines cut({"0000"}, 1);
  cut.ends[0] = 1;  // tokens behind the one that is embedded are seen by nobody
  EXPECT_EQ(Texts(cut), (std::vector<std::string>{"0+2"}));
}

TEST(FindTexts, RowsThatRepeatTheLastTextAreLeftOut) {
  Lines lines({"00111"}, 4);
  lines.ends = {1, 4, 4, 4};
  lines.batch.inputs[3].data = lines.ends.data();
  EXPECT_EQ(Texts(lines).size(), 2u);
}

std::string Fault(Lines lines, void (*change)(Lines*)) {
  change(&lines);
  std::vector<int32_t>* parts[] = {&lines.ids, &lines.positions, &lines.segments, &lines.ends};
  for (size_t i = 0; i < 4; ++i) lines.batch.inputs[i].data = parts[i]->data();
  try {
    FindTexts(lines.batch, Shape());
  } catch (const clip::Error& error) {
    EXPECT_EQ(error.status(), CLIP_INVALID_ARGUMENT);
    return error.what();
  }
  return "";
}

TEST(FindTexts, RefusesWhatIsNoText) {
  auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  Lines good({"00.11"}, 2);
  EXPECT_EQ(Fault(good, [](Lines*) {}), "");
  has(Fault(good, [](Lines* l) { l->ids[3] = 100; }), "token 100; the model's are 0 to 99");
  has(Fault(good, [](Lines* l) { l->ids[3] = -1; }), "token -1");
  has(Fault(good, [](Lines* l) { l->positions[4] = 8; }), "has 9 tokens; the model has positions for 8");
  has(Fault(good, [](Lines* l) { l->positions[4] = -1; }), "has 0 tokens");
  has(Fault(good, [](Lines* l) { l->positions[0] = 3, l->ends[0] = 0; }), "lies in one line");
  has(Fault(good, [](Lines* l) { l->positions[3] = 5; }), "token 3 has the position 5");
  has(Fault(good, [](Lines* l) { l->segments[3] = 0; }), "in segment 0");
  has(Fault(good, [](Lines* l) { l->ends[1] = 2; }), "in segment -1");
}

TEST(Passes, AreFilledAndWritten) {
  Lines lines({"000112222", "33.44444."}, 5);
  auto texts = FindTexts(lines.batch, Shape());
  EXPECT_EQ(DivideTexts(texts, 100, 100).size(), 1u);
  EXPECT_EQ(DivideTexts(texts, 2, 100).size(), 3u);
  auto passes = DivideTexts(texts, 100, 9);
  ASSERT_EQ(passes.size(), 2u);
  EXPECT_EQ(passes[0].tokens, 9);
  EXPECT_EQ(passes[0].longest, 4);
  EXPECT_EQ(passes[1].begin, 3u);
  EXPECT_EQ(passes[1].end, 5u);

  PassShape shape = ShapeOf(passes[1]);
  EXPECT_EQ(shape.items, 8);
  EXPECT_EQ(shape.tokens, 16);
  EXPECT_EQ(shape.length, 16);
  std::vector<int32_t> got(IntegerCount(shape), -7), want = {10, 11, 13, 14, 15, 16, 17};
  WriteIntegers(lines.batch, texts, passes[1], shape, got.data());
  want.resize(16, 0);
  for (int32_t place : {0, 1, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}) want.push_back(place);
  for (int32_t offset : {0, 2, 7, 7, 7, 7, 7, 7, 7}) want.push_back(offset);
  for (int32_t end : {1, 6, 6, 6, 6, 6, 6, 6}) want.push_back(end);
  EXPECT_EQ(got, want);
}

TEST(Passes, BucketsAreNearAndMonotone) {
  for (int step : {1, 8, 16}) {
    int last = 0;
    for (int count = 1; count < 40000; ++count) {
      int bucket = Bucket(count, step);
      ASSERT_GE(bucket, count);
      ASSERT_GE(bucket, last);
      ASSERT_LE(bucket, std::max(count + step - 1, count + count / 8 + 1));
      ASSERT_EQ(Bucket(bucket, step), bucket);
      last = bucket;
    }
  }
}

}  // namespace
}  // namespace clip_test
