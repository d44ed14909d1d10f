// Graphs as files: wengert/2, JSON that holds what a step of a model computes beside its weights. It is described in
// docs/formats.md and docs/schemas/wengert-2.schema.json, and docs/wengert2.py runs it in plain Python.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "autograd/graph/graph.hpp"
#include "nn/io/metadata.hpp"
#include "nn/io/weights.hpp"

namespace nn::io {

inline constexpr std::string_view graph_version = "wengert/2";

struct GraphFileOptions {
  Metadata metadata = {};
  /// Steps of a self-test: an input, drawn in the same way each time, and what the graph answers from its initial
  /// states. Whoever reads the file here runs it. None by default.
  std::size_t self_test_steps = 0;
};

struct GraphLoadOptions {
  bool allow_narrowing = false;  ///< of a float64 file into a Graph<float>: rounds every number
  bool verify = true;            ///< run the self-test, if there is one
};

/// What a file of wengert/2 has in it.
template <class T>
struct GraphFile {
  autograd::Graph<T> graph;
  Dtype dtype;  ///< of the file
  Metadata metadata;
  std::size_t self_test_steps = 0;
};

/// Writes a graph, its numbers as the shortest text that reads back as the same bits. Functions of the program that
/// recorded it are no part of a file, which has the steps that they stand for. The file is replaced as a whole
/// (nn/io/file.hpp). Throws what check() throws for a graph that can not run; ValueError for parameters that are not
/// finite, names that files can not have, and a self-test whose answer is not finite; Error if it can not be written.
/// Then the path is what it was.
template <class T>
void save_graph(const autograd::Graph<T>& graph, const std::filesystem::path& path,
                const GraphFileOptions& options = {});
/// The text of the file that save_graph() writes.
template <class T>
std::string graph_text(const autograd::Graph<T>& graph, const GraphFileOptions& options = {});

/// Whether a file says that it is one of wengert/2. Throws FormatError if it can not be read.
bool is_graph_file(const std::filesystem::path& path);

/// Reads a graph. A float32 file fits a Graph<double>. Every op, attribute, shape and name is checked; the self-test is
/// run. Throws FormatError, with the byte and the JSON pointer where there is one, for a file that is damaged, of
/// another format or version, has an op that graphs can not have, or does not pass its self-test; for a float64 file
/// and T = float unless allow_narrowing is set.
///
/// Reading takes memory in proportion to the file: at most about thirty times its size, and 2 MB. The values of a step,
/// of one sequence, have at most 2^20 numbers and four for each byte of the file; there are at most 4096 steps.
template <class T>
autograd::Graph<T> load_graph(const std::filesystem::path& path, const GraphLoadOptions& options = {});
/// The same with what else is in the file.
template <class T>
GraphFile<T> read_graph_file(const std::filesystem::path& path, const GraphLoadOptions& options = {});
/// The same from the text of a file; `source` is its name in errors.
template <class T>
GraphFile<T> graph_from_text(std::string_view text, const GraphLoadOptions& options = {},
                             const std::string& source = "");

}  // namespace nn::io
