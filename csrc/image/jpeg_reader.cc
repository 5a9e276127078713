#include "jpeg_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace clip_image {
namespace {

// A progressive file has about 10 scans; each one passes over the whole picture, so a file of many empty
// scans would keep a processor busy for minutes. The most that the usual encoders write is 64 coefficients x
// 3 components.
constexpr int kMaxScans = 200;

}  // namespace

JpegReader::JpegReader(const uint8_t* data, size_t length) {
  std::memset(&info_, 0, sizeof(info_));
  std::memset(&errors_, 0, sizeof(errors_));
  std::memset(&source_, 0, sizeof(source_));
  std::memset(&progress_, 0, sizeof(progress_));
  info_.err = jpeg_std_error(&errors_.base);
  errors_.base.error_exit = OnError;
  errors_.base.output_message = OnMessage;
  if (setjmp(errors_.jump)) {
    Describe();
    return;
  }
  jpeg_create_decompress(&info_);
  source_.next_input_byte = data;
  source_.bytes_in_buffer = length;
  source_.init_source = [](j_decompress_ptr) {};
  source_.fill_input_buffer = OnEndOfData;
  source_.skip_input_data = OnSkip;
  source_.resync_to_restart = jpeg_resync_to_restart;
  source_.term_source = [](j_decompress_ptr) {};
  info_.src = &source_;
  progress_.progress_monitor = OnProgress;
  info_.progress = &progress_;
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&info_); }

void JpegReader::OnError(j_common_ptr info) { std::longjmp(reinterpret_cast<Errors*>(info->err)->jump, 1); }

// Warnings are no errors, as in Pillow: a picture with damaged bits comes out damaged.
void JpegReader::OnMessage(j_common_ptr) {}

// All the data is in memory, so wanting more means that the end is missing.
boolean JpegReader::OnEndOfData(j_decompress_ptr info) {
  Errors* errors = reinterpret_cast<Errors*>(info->err);
  errors->ended_early = true;
  std::longjmp(errors->jump, 1);
}

void JpegReader::OnSkip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  jpeg_source_mgr* source = info->src;
  if (static_cast<size_t>(count) > source->bytes_in_buffer) {
    source->next_input_byte += source->bytes_in_buffer;
    source->bytes_in_buffer = 0;
    OnEndOfData(info);
    return;
  }
  source->next_input_byte += count;
  source->bytes_in_buffer -= static_cast<size_t>(count);
}

void JpegReader::OnProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  Errors* errors = reinterpret_cast<Errors*>(info->err);
  errors->too_many_scans = true;
  std::longjmp(errors->jump, 1);
}

bool JpegReader::Fail() {
  if (error_.empty()) Describe();
  return false;
}

void JpegReader::Describe() {
  if (errors_.too_many_scans) {
    error_ = "more than " + std::to_string(kMaxScans) + " scans";
  } else if (errors_.ended_early && info_.global_state > 202) {  // DSTATE_READY: the header has been read
    error_ = "data ends early after row " + std::to_string(info_.output_scanline) + " of " +
             std::to_string(info_.image_height);
  } else if (errors_.ended_early) {
    error_ = "data ends early, within the header";
  } else {
    char text[JMSG_LENGTH_MAX] = "";
    (*info_.err->format_message)(reinterpret_cast<j_common_ptr>(&info_), text);
    error_ = text;
  }
}

bool JpegReader::ReadHeader() {
  if (!error_.empty()) return false;
  if (setjmp(errors_.jump)) return Fail();
  while (jpeg_read_header(&info_, FALSE) == JPEG_HEADER_TABLES_ONLY) {
  }
  return true;
}

// At the sides of what is decoded the interpolation of colours has no neighbour, so the outermost colour
// sample is wrong there. It covers max_h_samp_factor columns.
int JpegReader::MarginColumns() const { return 2 * info_.max_h_samp_factor; }

bool JpegReader::Start(int first_column, int end_column) {
  if (setjmp(errors_.jump)) return Fail();
  info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_EXT_RGBX;
  info_.dct_method = JDCT_ISLOW;
  info_.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&info_);
  const int margin = MarginColumns();
  const int first = std::max(0, first_column - margin);
  const int end = std::min(static_cast<int>(info_.output_width), end_column + margin);
  if (first > 0 || end < static_cast<int>(info_.output_width)) {
    JDIMENSION offset = static_cast<JDIMENSION>(first);
    JDIMENSION width = static_cast<JDIMENSION>(end - first);
    jpeg_crop_scanline(&info_, &offset, &width);
    first_column_ = static_cast<int>(offset);
  }
  return true;
}

bool JpegReader::SkipUnread(int rows) {
  if (setjmp(errors_.jump)) return Fail();
  jpeg_skip_scanlines(&info_, static_cast<JDIMENSION>(rows));
  return true;
}

bool JpegReader::SkipTo(int row) {
  // The interpolation of colours looks one row up and down, so the last rows before the wanted one are made.
  const int margin = 2 * info_.max_v_samp_factor * DCTSIZE;
  const int unread = row - margin - this->row();
  if (unread > 0 && !SkipUnread(unread)) return false;
  std::vector<uint8_t> dropped(static_cast<size_t>(info_.output_width) * 4);
  uint8_t* rows[] = {dropped.data()};
  while (this->row() < row) {
    if (Read(rows, 1) == 0) return false;
  }
  return true;
}

int JpegReader::Read(uint8_t** rows, int count) {
  if (setjmp(errors_.jump)) {
    Fail();
    return 0;
  }
  return static_cast<int>(jpeg_read_scanlines(&info_, rows, static_cast<JDIMENSION>(count)));
}

bool JpegReader::Finish() {
  if (!SkipTo(height())) return false;
  if (setjmp(errors_.jump)) return errors_.ended_early ? true : Fail();
  jpeg_finish_decompress(&info_);
  return true;
}

}  // namespace clip_image
