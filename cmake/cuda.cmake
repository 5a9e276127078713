# The CUDA compiler: what `make deps` fetched, else a toolkit that is installed. Without one CLIP_CUDA is OFF and what
# needs it is left out. The compiler runs as a command of its own rather than as a language of CMake, whose checks want
# a whole toolkit and a GPU's driver.
set(CLIP_CUDA_HOME "" CACHE PATH "a CUDA toolkit, 12.8 or newer; empty: ${CLIP_DEPS}/cuda, $CUDA_HOME or /usr/local/cuda")
# Machine code for every processor from Turing on; PTX for those that came later (10.3 runs 10.0's code, 12.1 that of
# 12.0, 11.0 takes the PTX of 9.0).
set(CLIP_CUDA_ARCHITECTURES "75;80;86;89;90;100;120" CACHE STRING "CUDA architectures to compile for")
set(CLIP_CUDA_PTX "90;120" CACHE STRING "CUDA architectures to add PTX for")

set(CLIP_CUDA OFF)
foreach(home "${CLIP_CUDA_HOME}" "${CLIP_DEPS}/cuda" "$ENV{CUDA_HOME}" /usr/local/cuda)
  if(NOT CLIP_CUDA AND home AND EXISTS "${home}/bin/nvcc")
    execute_process(COMMAND "${home}/bin/nvcc" --version OUTPUT_VARIABLE version ERROR_QUIET)
    string(REGEX MATCH "release ([0-9.]+)" _ "${version}")
    file(GLOB cudart "${home}/lib/libcudart_static.a" "${home}/lib64/libcudart_static.a")
    if(CMAKE_MATCH_1 VERSION_GREATER_EQUAL 12.8 AND cudart AND EXISTS "${home}/include/cuda_runtime.h")
      list(GET cudart 0 CLIP_CUDART)
      set(CLIP_CUDA ON)
      set(CLIP_NVCC "${home}/bin/nvcc")
      set(CLIP_CUDA_INCLUDE "${home}/include")
      message(STATUS "CUDA ${CMAKE_MATCH_1} in ${home}")
    endif()
  endif()
endforeach()
if(NOT CLIP_CUDA)
  message(STATUS "no CUDA compiler: the runtime cuda is left out")
endif()

set(CLIP_CUDA_FLAGS -std=c++20 -O3 -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-fno-omit-frame-pointer)
foreach(architecture IN LISTS CLIP_CUDA_ARCHITECTURES)
  set(code sm_${architecture})
  if(architecture IN_LIST CLIP_CUDA_PTX)
    set(code "[${code},compute_${architecture}]")
  endif()
  list(APPEND CLIP_CUDA_FLAGS -gencode "arch=compute_${architecture},code=${code}")
endforeach()

# The headers of CUDA and its runtime, which is linked in: at run time only the driver is needed.
if(CLIP_CUDA)
  find_package(Threads REQUIRED)
  add_library(clip_cudart INTERFACE)
  target_include_directories(clip_cudart SYSTEM INTERFACE ${CLIP_CUDA_INCLUDE})
  target_link_libraries(clip_cudart INTERFACE ${CLIP_CUDART} Threads::Threads ${CMAKE_DL_LIBS} rt)
endif()

# clip_cuda_sources(TARGET FILE.cu... [INCLUDE FOLDER...]) compiles each file for all architectures and adds it to the
# target, which gets the CUDA runtime too.
function(clip_cuda_sources target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "INCLUDE")
  set(includes -I${CLIP_INCLUDE})
  foreach(folder IN LISTS arg_INCLUDE)
    list(APPEND includes -I${folder})
  endforeach()
  foreach(source IN LISTS arg_UNPARSED_ARGUMENTS)
    cmake_path(ABSOLUTE_PATH source NORMALIZE)
    cmake_path(GET source STEM name)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${target}.cuda/${name}.o)
    file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${target}.cuda)
    add_custom_command(OUTPUT ${object}
      COMMAND ${CLIP_NVCC} ${CLIP_CUDA_FLAGS} --threads 2 ${includes} -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source} ${CLIP_NVCC} DEPFILE ${object}.d
      COMMENT "Compiling ${name}.cu for CUDA" VERBATIM)
    target_sources(${target} PRIVATE ${object})
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  endforeach()
  target_link_libraries(${target} PRIVATE clip_cudart)
endfunction()
