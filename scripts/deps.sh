#!/usr/bin/env bash
# Fetches the native parts named in scripts/deps/native.txt into build/deps, by version and hash, and installs
# system packages where they are missing. What is there already is left alone, so that a second run is quick.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

table=scripts/deps/native.txt
deps=build/deps
processor=$(uname -m)

say() { printf 'deps: %s\n' "$*"; }
die() {
  printf 'deps: %s\n' "$*" >&2
  exit 1
}

# is_present cmd:NAME | header:PATH
is_present() {
  local what=${1#*:} folder
  if [[ $1 == cmd:* ]]; then
    command -v "$what" >/dev/null
    return
  fi
  for folder in /usr/include /usr/include/"$processor"-linux-gnu /usr/local/include; do
    [[ -e $folder/$what ]] && return 0
  done
  return 1
}

install_packages() { # packages...
  local command="apt-get install -y --no-install-recommends $*" log=$deps/apt.log
  command -v apt-get >/dev/null || die "missing on this machine: $* (names as in Debian); install them with the system's package manager"
  [[ $EUID -eq 0 ]] || die "missing on this machine: $*; run: sudo $command"
  say "installing system packages: $*"
  # The first try saves the update where the package lists are there and fresh.
  DEBIAN_FRONTEND=noninteractive $command -o DPkg::Lock::Timeout=300 >"$log" 2>&1 && return
  apt-get update -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 || die "apt-get update failed: $(grep -m1 '^[EW]:' "$log" || tail -1 "$log")"
  DEBIAN_FRONTEND=noninteractive $command -o DPkg::Lock::Timeout=300 >>"$log" 2>&1 ||
    die "cannot install $*: $(grep '^E:' "$log" | tail -1)"
}

require_system() {
  local missing=() kind package sign
  while read -r kind package sign; do
    is_present "$sign" || missing+=("$package")
  done < <(grep '^system ' "$table")
  # Debian's own Python comes without pip and venv, which fetch the wheels and hold the tests' client.
  python3 -c 'import pip, venv, ensurepip' 2>/dev/null || missing+=(python3 python3-pip python3-venv)
  [[ ${#missing[@]} -eq 0 ]] || install_packages "${missing[@]}"

  command -v go >/dev/null || die "missing on this machine: Go (1.26 or newer, or any from 1.21 on, which fetches it); see https://go.dev/dl"
  local go_version minor
  go_version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || true)
  minor=${go_version#go1.}
  minor=${minor%%[!0-9]*}
  [[ $go_version != go1.* || ${minor:-0} -ge 21 ]] || die "$go_version is too old: Go 1.26 is needed (1.21 and newer fetch it by themselves); see https://go.dev/dl"
}

# unpack_NAME wheel folder: takes what clipd needs out of the wheel into the folder.
unpack_openvino() {
  local lib='openvino/libs'
  unzip -q -DD "$1" "$lib/libopenvino.so.*" "$lib/libopenvino_onnx_frontend.so.*" "$lib/libopenvino_ir_frontend.so.*" \
    "$lib/libopenvino_*cpu_plugin.so" "$lib/libtbb*" "$lib/libhwloc*" \
    'openvino/include/openvino/*' 'openvino-*.dist-info/licenses/*' -d "$2/wheel" || [[ $? -eq 11 ]]
  mv "$2/wheel/$lib" "$2/lib"
  mv "$2/wheel/openvino/include" "$2/include"
  mv "$2"/wheel/openvino-*.dist-info/licenses "$2/licenses"
  rm -f "$2"/lib/libtbbmalloc_proxy*
  (cd "$2/lib" && ln -s libopenvino.so.* libopenvino.so)
}

unpack_onnxruntime() {
  unzip -q -DD "$1" 'onnxruntime/capi/libonnxruntime.so.*' onnxruntime/LICENSE onnxruntime/ThirdPartyNotices.txt -d "$2/wheel"
  mkdir "$2/lib" "$2/licenses"
  mv "$2"/wheel/onnxruntime/capi/libonnxruntime.so.* "$2/lib"
  mv "$2/wheel/onnxruntime/LICENSE" "$2/wheel/onnxruntime/ThirdPartyNotices.txt" "$2/licenses"
  (cd "$2/lib" && ln -s libonnxruntime.so.*.* libonnxruntime.so.1 && ln -s libonnxruntime.so.1 libonnxruntime.so)
}

unpack_tbb-devel() {
  unzip -q -DD "$1" 'tbb_devel-*.data/data/include/*' 'tbb_devel-*.dist-info/LICENSE.txt' -d "$2/wheel"
  mv "$2"/wheel/tbb_devel-*.data/data/include "$2/include"
  mkdir "$2/licenses"
  mv "$2"/wheel/tbb_devel-*.dist-info/LICENSE.txt "$2/licenses"
}

unpack_clang-format() {
  unzip -q -DD "$1" clang_format/data/bin/clang-format 'clang_format-*.dist-info/licenses/*' -d "$2/wheel"
  mkdir "$2/bin"
  install -m 755 "$2/wheel/clang_format/data/bin/clang-format" "$2/bin/clang-format"
  mv "$2"/wheel/clang_format-*.dist-info/licenses "$2/licenses"
}

# The second part of a stamp: a change of the unpack functions above unpacks again. (unzip's -DD gives files the time of
# now, not the wheel's, so that a newer version is newer than what was built from the older one.)
recipe=2

fetch_wheel() { # name version platform sha256
  local name=$1 version=$2 platform=$3 hash=$4
  local folder=$deps/$name-$version new=$deps/.new-$name log=$deps/pip.log start=$SECONDS
  if [[ $(cat "$folder/.stamp" 2>/dev/null) == "$hash $recipe" ]]; then
    return
  fi
  say "fetching $name $version ($platform)"
  rm -rf "$new" && mkdir -p "$new/download"
  printf '%s==%s --hash=sha256:%s\n' "$name" "$version" "$hash" >"$new/requirement.txt"
  # The Python named here is the wheel's, not this machine's: nothing of it is run.
  python3 -m pip download --no-deps --require-hashes --only-binary :all: --disable-pip-version-check \
    --python-version 3.11 --implementation cp --abi cp311 --abi none --platform "$platform" \
    -r "$new/requirement.txt" -d "$new/download" >"$log" 2>&1 ||
    die "cannot download $name $version with pip: $(grep -m1 'ERROR' "$log" || tail -1 "$log")"
  "unpack_$name" "$new"/download/*.whl "$new"
  rm -rf "$new/download" "$new/wheel" "$new/requirement.txt" "$folder"
  printf '%s %s\n' "$hash" "$recipe" >"$new/.stamp"
  mv "$new" "$folder"
  ln -sfn "$name-$version" "$deps/$name"
  say "$name $version is in $folder ($(du -sh "$folder" | cut -f1), $((SECONDS - start)) s)"
}

require_wheels() {
  local kind name version machine platform hash found=0
  while read -r kind name version machine platform hash; do
    [[ $machine == "$processor" ]] || continue
    found=1
    fetch_wheel "$name" "$version" "$platform" "$hash"
  done < <(grep '^wheel ' "$table")
  [[ $found -eq 1 ]] || die "no native parts are pinned for the processor $processor: x86_64 and aarch64 are known (scripts/deps/native.txt)"
}

# fetch_cuda hash-of-the-lines: build/deps/cuda is the tree that nvcc expects: bin, include, lib, nvvm.
fetch_cuda() {
  local new=$deps/.new-cuda log=$deps/pip.log start=$SECONDS kind name version machine platform hash platforms=()
  rm -rf "$new" && mkdir -p "$new/download"
  while read -r kind name version machine platform hash; do
    printf '%s==%s --hash=sha256:%s\n' "$name" "$version" "$hash" >>"$new/requirements.txt"
    platforms+=(--platform "$platform")
  done < <(grep -E "^cuda +[^ ]+ +[^ ]+ +$processor " "$table")
  say "fetching the CUDA compiler (some 110 MB)"
  python3 -m pip download --no-deps --require-hashes --only-binary :all: --disable-pip-version-check "${platforms[@]}" \
    -r "$new/requirements.txt" -d "$new/download" >"$log" 2>&1 ||
    die "cannot download the CUDA compiler with pip: $(grep -m1 'ERROR' "$log" || tail -1 "$log")"
  local wheel
  for wheel in "$new"/download/*.whl; do
    unzip -q -o -DD "$wheel" -d "$new/wheel"
  done
  mv "$new"/wheel/nvidia/cu13/* "$new"
  mkdir "$new/licenses"
  for wheel in "$new"/wheel/*.dist-info; do
    mv "$wheel/licenses" "$new/licenses/$(basename "${wheel%.dist-info}")"
  done
  chmod -R a+rX "$new" && chmod a+x "$new"/bin/* "$new"/nvvm/bin/*
  rm -rf "$new/download" "$new/wheel" "$new/requirements.txt" "$deps/cuda"
  printf '%s\n' "$1" >"$new/.stamp"
  mv "$new" "$deps/cuda"
  say "the CUDA compiler is in $deps/cuda ($(du -sh "$deps/cuda" | cut -f1), $((SECONDS - start)) s)"
}

# Without it everything but the runtime "cuda" is built. CLIPD_WITHOUT_CUDA=1 saves the download.
offer_cuda() {
  local stamp status
  [[ ${CLIPD_WITHOUT_CUDA:-} != 1 ]] || return 0
  stamp="$(grep '^cuda ' "$table" | sha256sum | cut -c1-16) $processor $recipe"
  [[ $(cat "$deps/cuda/.stamp" 2>/dev/null) != "$stamp" ]] || return 0
  set +e # a subshell in a condition would ignore its own errors
  (set -e && fetch_cuda "$stamp")
  status=$?
  set -e
  [[ $status -eq 0 ]] || say 'going on without the CUDA compiler: the runtime "cuda" is built only where a CUDA toolkit is installed'
}

require_headers() {
  local kind module version file hash folder source
  while read -r kind module version file hash folder; do
    echo "$hash  $deps/$folder/$file" | sha256sum --check --status 2>/dev/null && continue
    say "fetching $file from the Go module $module $version"
    # Outside of this module, so that go.mod and go.sum stay as they are.
    source=$(cd / && go mod download -json "$module@$version" 2>&1) ||
      die "cannot download the Go module $module $version: $(sed -n 's/.*"Error": "\(.*\)",*$/\1/p' <<<"$source")"
    source=$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p' <<<"$source")
    echo "$hash  $source/$file" | sha256sum --check --status ||
      die "$file of $module $version has another sha256 than $table says: $(sha256sum <"$source/$file")"
    mkdir -p "$deps/$folder"
    install -m 644 "$source/$file" "$deps/$folder/$file"
    install -m 644 "$source/LICENSE" "$deps/$folder/LICENSE.headers"
  done < <(grep '^header ' "$table")
}

# fetch_tensorrt name version sha256 folder-in-crate folder-in-deps
fetch_tensorrt() {
  local name=$1 version=$2 hash=$3 source=$4 folder=$5 new=$deps/.new-tensorrt log=$deps/cargo.log crate
  command -v cargo >/dev/null || die 'the headers of TensorRT are missing: neither NvOnnxParser.h nor cargo, which fetches it, is on this machine'
  say "fetching the headers of TensorRT from the crate $name $version"
  rm -rf "$new" && mkdir -p "$new/project/src"
  printf '[package]\nname = "headers"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = "=%s"\n' "$name" "${version%%+*}" >"$new/project/Cargo.toml"
  : >"$new/project/src/lib.rs"
  # What the crate depends on comes along and is not used: nothing of it is built.
  (cd "$new/project" && cargo fetch) >"$log" 2>&1 || die "cannot download the crate $name $version: $(grep -m1 '^error' "$log" || tail -1 "$log")"
  for crate in "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/"$name-$version.crate"; do
    echo "$hash  $crate" | sha256sum --check --status 2>/dev/null || continue
    mkdir "$new/crate"
    tar -xzf "$crate" -C "$new/crate" --strip-components=1
    rm -rf "${deps:?}/${folder%%/*}"
    mkdir -p "$deps/$(dirname "$folder")"
    mv "$new/crate/$source" "$deps/$folder"
    rm -rf "$new"
    ln -sfn "${folder%%/*}" "$deps/tensorrt"
    printf '%s\n' "$hash" >"$deps/tensorrt/.stamp"
    return
  done
  die "the crate $name $version has another sha256 than $table says"
}

# Without them everything but the runtime "tensorrt" is built.
offer_tensorrt() {
  local kind name version hash source folder status
  ! is_present header:NvOnnxParser.h || return 0
  read -r kind name version hash source folder < <(grep '^crate ' "$table")
  [[ $(cat "$deps/tensorrt/.stamp" 2>/dev/null) != "$hash" ]] || return 0
  set +e
  (set -e && fetch_tensorrt "$name" "$version" "$hash" "$source" "$folder")
  status=$?
  set -e
  [[ $status -eq 0 ]] || say 'going on without them: the runtime "tensorrt" is not built'
}

mkdir -p "$deps"
exec 9>"$deps/.lock" # two makes at once: the second waits and then finds all in place
flock 9
require_system
require_wheels
require_headers
offer_cuda
offer_tensorrt
