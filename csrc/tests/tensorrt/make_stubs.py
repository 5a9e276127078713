#!/usr/bin/env python3
"""Writes, for each abstract class behind TensorRT's API (nvinfer1::apiv::V...), a class StubV... whose every call ends
the program and names itself. A fake overrides the calls that it plays, whatever else a version of TensorRT declares.

    make_stubs.py NvInferImpl.h NvOnnxParser.h stubs.h
"""

import pathlib
import re
import sys


def classes(text, pattern):
    """The name and body of each class that the pattern finds."""
    for found in re.finditer(pattern, text):
        depth, end = 1, found.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield found[1], text[found.end() : end - 1]


def stub(name, qualified, body):
    lines = [f"class Stub{name} : public {qualified} {{", " public:"]
    body = re.sub(r"\bTRT_(NODISCARD|DEPRECATED)(_BECAUSE\([^)]*\))?\b", "", body)
    for call in re.finditer(r"virtual\s+([^;{}~]*?)\s*=\s*0\s*;", body):
        declared = " ".join(call[1].split())
        declared = re.sub(r"\s*=\s*nullptr", "", declared)
        what = re.search(r"(\w+)\(", declared)[1]
        # No "override": a few calls are declared under conditions of the preprocessor.
        lines.append(f'  {declared} {{ NotPlayed("{name}::{what}"); }}')
    return "\n".join(lines + ["};", ""])


def main():
    runtime, parser, output = sys.argv[1:]
    made = ["// Made by make_stubs.py.", "#pragma once", "#include <NvInfer.h>", "#include <NvOnnxParser.h>", ""]
    made += ["[[noreturn]] void NotPlayed(const char* call);", "", "namespace nvinfer1 {", ""]
    for path, pattern, space in [
        (runtime, r"class (V\w+)\s*:\s*public VRoot\s*\{", "nvinfer1::apiv::"),
        (parser, r"class (IParser|IParserError)\s*\{", "nvonnxparser::"),
    ]:
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", pathlib.Path(path).read_text(), flags=re.S)
        if space != "nvinfer1::apiv::":
            made += ["}  // namespace nvinfer1", "namespace nvonnxparser {"]
        for name, body in classes(text, pattern):
            made.append(stub(name, space + name, body))
    made.append("}  // namespace nvonnxparser")
    pathlib.Path(output).write_text("\n".join(made) + "\n")


if __name__ == "__main__":
    main()
