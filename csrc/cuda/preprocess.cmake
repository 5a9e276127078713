# Preprocessing of pictures on the GPU, for the runtimes that run there. All but the kernels is plain C++ and is built, and
# tested, without a CUDA compiler too.
set(clip_preprocess_folder ${CMAKE_SOURCE_DIR}/csrc/cuda)
add_library(clip_cuda_preprocess STATIC
  ${clip_preprocess_folder}/preprocess.cc ${clip_preprocess_folder}/preprocess_axes.cc
  ${clip_preprocess_folder}/preprocess_decode.cc ${clip_preprocess_folder}/preprocess_jpeg.cc
  ${clip_preprocess_folder}/preprocess_nvjpeg.cc ${clip_preprocess_folder}/preprocess_pool.cc
  ${clip_preprocess_folder}/preprocess_wave.cc
  # The weights are those of csrc/image; its decoders, and their libraries, are not wanted here.
  ${CMAKE_SOURCE_DIR}/csrc/image/axis.cc ${CMAKE_SOURCE_DIR}/csrc/image/geometry.cc)
target_include_directories(clip_cuda_preprocess PUBLIC ${clip_preprocess_folder} PRIVATE ${CMAKE_SOURCE_DIR}/csrc/image)
# The weights must round as in the reference on every processor.
target_compile_options(clip_cuda_preprocess PRIVATE -O3 -ffp-contract=off)
find_package(Threads REQUIRED)
target_link_libraries(clip_cuda_preprocess PUBLIC clip_plugin Threads::Threads ${CMAKE_DL_LIBS})
if(CLIP_CUDA)
  clip_cuda_sources(clip_cuda_preprocess ${clip_preprocess_folder}/preprocess_device.cu
    INCLUDE ${CMAKE_SOURCE_DIR}/csrc/plugin)
endif()

add_subdirectory(${CMAKE_SOURCE_DIR}/csrc/tests/cuda_preprocess ${CMAKE_BINARY_DIR}/tests/cuda_preprocess)
