// libjpeg-turbo behind calls that return false instead of jumping.
#pragma once
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

// clang-format off: it needs size_t and FILE before it
#include <jpeglib.h>
// clang-format on

namespace clip_image {

// Reads one JPEG from memory, in the order: ReadHeader, Start, rows, Finish. Every call returns false once
// something is wrong; error() then says what. longjmp never passes a C++ object: it lands in the call that
// entered the library.
class JpegReader {
 public:
  JpegReader(const uint8_t* data, size_t length);
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Reads up to the first scan; width(), height() and components() are known then.
  bool ReadHeader();
  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }
  int components() const { return info_.num_components; }

  // Begins to decode with the accurate integer DCT and fancy upsampling. Of the columns, first to end - 1
  // come out; the library may give more, see first_column() and columns(). A progressive file is read whole
  // here.
  bool Start(int first_column, int end_column);
  // Rows come with four bytes a pixel: R G B x, or C M Y K as stored.
  int first_column() const { return first_column_; }
  int columns() const { return static_cast<int>(info_.output_width); }
  // The row that comes next.
  int row() const { return static_cast<int>(info_.output_scanline); }

  // Passes over rows until row() is at least `row`. Their bits are read, their pixels are not made where the
  // library can leave that out.
  bool SkipTo(int row);
  // Reads at least one and at most `count` rows into `rows`; 0 means an error.
  int Read(uint8_t** rows, int count);
  // Reads the rows that are left and ends the decoding. As in Pillow the data must last for every row, but
  // the end marker is only missed where a row needs the bits before it.
  bool Finish();

  // A sentence without the name of the format, such as "data ends early after row 211 of 480".
  const std::string& error() const { return error_; }

 private:
  struct Errors {
    jpeg_error_mgr base;  // first, so that the library's pointer is ours
    std::jmp_buf jump;
    bool ended_early;
    bool too_many_scans;
  };

  static void OnError(j_common_ptr info);
  static void OnMessage(j_common_ptr info);
  static boolean OnEndOfData(j_decompress_ptr info);
  static void OnSkip(j_decompress_ptr info, long count);
  static void OnProgress(j_common_ptr info);

  bool SkipUnread(int rows);
  bool Fail();
  void Describe();
  int MarginColumns() const;

  jpeg_decompress_struct info_;
  Errors errors_;
  jpeg_source_mgr source_;
  jpeg_progress_mgr progress_;
  std::string error_;
  int first_column_ = 0;
};

}  // namespace clip_image
