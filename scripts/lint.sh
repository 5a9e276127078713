#!/usr/bin/env bash
# Checks the form of every tracked file: gofmt, go vet, staticcheck and clang-format. Prints the findings and exits
# with 1 when there are any. With --fix, gofmt and clang-format rewrite the files instead.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
clang_format=build/deps/clang-format/bin/clang-format

fix=0
case ${1:-} in
'') ;;
--fix) fix=1 ;;
*)
  echo "lint: unknown argument '$1'; usage: scripts/lint.sh [--fix]" >&2
  exit 2
  ;;
esac
[[ -x $clang_format ]] || {
  echo "lint: $clang_format is missing; run 'make deps' first" >&2
  exit 2
}

# existing GLOB...: tracked files that are still there, one after another, zero-terminated
existing() { git ls-files -z -- "$@" | while IFS= read -r -d '' file; do [[ -e $file ]] && printf '%s\0' "$file"; done; }

git rev-parse --git-dir >/dev/null || {
  echo 'lint: this is no git checkout, so there is no telling which files to check' >&2
  exit 2
}
mapfile -d '' -t go_files < <(existing '*.go')
mapfile -d '' -t c_files < <(existing '*.c' '*.cc' '*.h' '*.cu')

if [[ $fix -eq 1 ]]; then
  [[ ${#go_files[@]} -eq 0 ]] || gofmt -w "${go_files[@]}" || exit 1
  [[ ${#c_files[@]} -eq 0 ]] || "$clang_format" -i "${c_files[@]}" || exit 1
  exit 0
fi

findings=0
# check NAME COMMAND...: runs it and notes a failure, so that one run shows the findings of every tool
check() {
  local name=$1
  shift
  if ! "$@"; then
    echo "lint: $name has findings (above)" >&2
    findings=1
  fi
}

# gofmt -l lists files and exits with 0, save where a file does not parse.
unformatted() {
  local listed
  listed=$(gofmt -l "${go_files[@]}") || return 1
  [[ -z $listed ]] || {
    sed 's/$/: not gofmt-ed (make format)/' <<<"$listed"
    return 1
  }
}

if [[ ${#go_files[@]} -gt 0 ]]; then
  check gofmt unformatted
  check 'go vet' go vet ./...
  check staticcheck go run "$staticcheck" ./...
fi
[[ ${#c_files[@]} -eq 0 ]] || check clang-format "$clang_format" --dry-run --Werror "${c_files[@]}"
exit "$findings"
