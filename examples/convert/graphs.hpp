// The forms in which a model is written as a graph: what it computes beside its weights.
#pragma once

#include <string>

#include "nn/io/metadata.hpp"

struct GraphConversion {
  std::string in, out;
  std::string from;  ///< the format of `in`, "auto" for what the file says
  std::string to;    ///< one of graph_forms(), or "onnx" for a graph file
  nn::io::Metadata metadata;
  bool self_test = false, check = false;
};

/// "graph, c, packed and onnx-step".
std::string graph_forms();
bool is_graph_form(const std::string& name);

/// Reads a graph file, or a model of any other format, and writes its graph. The exit status is 1 if --check finds
/// other answers. Throws ValueError for what the form can not hold.
int convert_graph(const GraphConversion& conversion);
