// How long libjpeg-turbo takes for the whole picture: jpeg_read_scanlines to RGB with the accurate integer
// DCT and fancy upsampling, nothing else. Prints milliseconds of processor time a picture. Usage: bare_decode
// FILE PICTURES
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

// clang-format off: it needs size_t and FILE before it
#include <jpeglib.h>
// clang-format on

namespace {

void Decode(const std::vector<unsigned char>& bytes, std::vector<unsigned char>* pixels) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes.data(), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&info);
  const size_t stride = static_cast<size_t>(info.output_width) * 3;
  pixels->resize(stride * info.output_height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW rows[8];
    unsigned count = 0;
    for (; count < 8 && info.output_scanline + count < info.output_height; ++count) {
      rows[count] = pixels->data() + stride * (info.output_scanline + count);
    }
    jpeg_read_scanlines(&info, rows, count);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(file),
                                         std::istreambuf_iterator<char>()};
  const int count = std::atoi(argv[2]);
  std::vector<unsigned char> pixels;
  Decode(bytes, &pixels);
  const std::clock_t start = std::clock();  // processor time of this process
  for (int i = 0; i < count; ++i) Decode(bytes, &pixels);
  std::printf("%.4f\n", static_cast<double>(std::clock() - start) * 1000 / CLOCKS_PER_SEC / count);
}
